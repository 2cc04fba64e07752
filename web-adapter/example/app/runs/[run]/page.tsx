import type { Metadata } from "next";
import { RunPage } from "../../../components/runs/RunPage";

export const metadata: Metadata = { title: "Run · Crew" };

export default async function Page({ params }: { params: Promise<{ run: string }> }) {
  const { run } = await params;
  return <RunPage key={run} run={run} />;
}
