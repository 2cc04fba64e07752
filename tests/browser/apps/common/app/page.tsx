import { Thread } from "../components/Thread";

export default function Page() {
  return <Thread />;
}
