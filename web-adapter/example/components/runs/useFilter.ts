import { useSearchParams } from "next/navigation";
import { filterOf, queryOf, type Filter } from "./filter";

/** What the page's address asks for, and how it comes to ask for something else; "Back" leads to the page before. */
export function useFilter(): [Filter, (filter: Filter) => void, (filter: Filter) => string] {
  const query = useSearchParams();
  const addressOf = (filter: Filter) => window.location.pathname + queryOf(filter, new URLSearchParams(query));
  const set = (filter: Filter) => window.history.replaceState(null, "", addressOf(filter));
  return [filterOf(new URLSearchParams(query)), set, (filter) => queryOf(filter, new URLSearchParams(query)) || "?"];
}
