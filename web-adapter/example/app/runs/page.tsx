import type { Metadata } from "next";
import { RunList } from "../../components/runs/RunList";

export const metadata: Metadata = { title: "Runs · Crew" };

export default function Page() {
  return <RunList />;
}
