import { Stock } from "../../components/Stock";

export default function Page() {
  return <Stock />;
}
