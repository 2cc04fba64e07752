import type { CrewClient } from "../client.ts";
import type { CrewError } from "../errors.ts";
import type { CrewInfo, RunPage, RunSnapshot, ThreadInfo } from "../protocol.ts";
import type { RunQuery } from "../reads.ts";
import { createPoll, usePoll, type Looked, type Poll } from "./poll.ts";

export interface CrewRuns extends Looked {
  /** Newest first: the first page, and those that were asked for behind it. */
  readonly runs: readonly RunSnapshot[];
  /** How many there are in each state, where they were asked for. */
  readonly counts: RunPage["counts"];
  /** There are older ones: `more()` has the next page of them, once however often it is called. */
  readonly hasMore: boolean;
  readonly loadingMore: boolean;
  /** Why the next page could not be had. */
  readonly moreError: CrewError | null;
  more(): void;
  /** Deletes a finished run, and takes it out of the list; rejects as `client.remove` does. */
  remove(run: string): Promise<void>;
}

/**
 * The sidecar's runs, newest first, without their outputs unless `brief` is false: looked at again after
 * each command and each run of this client, when the page is seen again, and every 5 s while it is. What is
 * looked at is the first page; older ones stay as they were. null: none are wanted.
 */
export function useCrewRuns(client: CrewClient, query: RunQuery | null = {}): CrewRuns {
  const key = `runs ${JSON.stringify(query)}`;
  const [poll, { data, ...looked }] = usePoll(client, key, () => runsOf(client, query));
  const { runs = NONE, counts, next = null, loadingMore = false, moreError = null } = data ?? {};
  return {
    ...looked,
    runs,
    counts,
    hasMore: next !== null,
    loadingMore,
    moreError,
    more: poll.more,
    remove: poll.remove,
  };
}

/** The sidecar's conversations, the one last at work first; looked at as `useCrewRuns` does. */
export function useThreads(
  client: CrewClient,
  { limit = 50 }: { readonly limit?: number } = {},
): Looked & { readonly threads: readonly ThreadInfo[] } {
  const make = () => createPoll(client, () => client.threads({ limit }), true);
  const [, { data, ...looked }] = usePoll(client, `threads ${limit}`, make);
  return { threads: data?.threads ?? NONE, ...looked };
}

/** What crews there are; looked at once, when the connection comes or goes and when the page is seen again. */
export function useCrews(client: CrewClient): Looked & { readonly crews: readonly CrewInfo[] } {
  const [, { data: crews = NONE, ...looked }] = usePoll(client, "crews", () => createPoll(client, client.crews, false));
  return { crews, ...looked };
}

const NONE: readonly never[] = [];

/** A first page, and what was put behind it. */
interface Pages extends RunPage {
  /** Others were asked for: no run that the first one has no more room for may be missing before them. */
  readonly paged?: boolean;
  readonly loadingMore?: boolean;
  readonly moreError?: CrewError;
}

interface RunsPoll extends Poll<Pages>, Pick<CrewRuns, "more" | "remove"> {}

function runsOf(client: CrewClient, query: RunQuery | null): RunsPoll {
  const wanted = { ...query, limit: query?.limit ?? 50, brief: query?.brief ?? true };
  const poll = createPoll<Pages>(client, () => client.runs(wanted), true, joined);

  async function behind(before: string): Promise<void> {
    poll.amend(({ moreError: _, ...pages }) => ({ ...pages, paged: true, loadingMore: true }));
    try {
      const page = await client.runs({ ...wanted, counts: undefined, before });
      poll.amend(({ loadingMore: _, ...pages }) => {
        // The first page may have come to end elsewhere.
        if (pages.next !== before) return pages;
        const known = new Set(pages.runs.map(({ run }) => run));
        const runs = [...pages.runs, ...page.runs.filter(({ run }) => !known.has(run))];
        return { ...pages, runs, next: page.next };
      });
    } catch (error) {
      poll.amend(({ loadingMore: _, ...pages }) => ({ ...pages, moreError: error as CrewError }));
    }
  }

  return {
    ...(query ? poll : { ...poll, ...UNASKED }),
    more() {
      const { data } = poll.get();
      if (data?.next && !data.loadingMore) void behind(data.next);
    },
    async remove(run) {
      await client.remove({ run });
      poll.amend((pages) => ({ ...pages, runs: pages.runs.filter((one) => one.run !== run) }));
      poll.first.refresh();
    },
  };
}

const nothing = { data: undefined, loading: false, error: null, refresh: () => {} };
const UNASKED = { first: nothing, get: () => nothing, subscribe: () => () => {} };

/** The first page as it is by now, and behind it what was there before, unless it should be on that one. */
function joined(pages: Pages | undefined, fresh: RunPage): Pages {
  const last = fresh.runs.at(-1);
  const now = new Set(fresh.runs.map(({ run }) => run));
  // Without any in common there may be others in between.
  if (!pages?.paged || !last || fresh.next === null || !pages.runs.some(({ run }) => now.has(run))) return fresh;
  const older = pages.runs.filter(({ run, created }) => !now.has(run) && created <= last.created);
  return { ...pages, ...fresh, runs: [...fresh.runs, ...older], next: pages.next };
}
