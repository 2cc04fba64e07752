import type { CrewInfo, Prices, RunSnapshot, RunState, ThreadInfo, ThreadPage, ThreadRuns } from "./protocol.ts";

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
}

/** The answer to `method path`, `body` as JSON; rejects with a CrewError, and with the signal's reason. */
export type Request = <T>(method: string, path: string, options?: ReadOptions, body?: string) => Promise<T>;

/** What the sidecar keeps beside the logs of its runs. */
export interface Reads {
  /** Newest first; behind the first MiB they are `truncated`. */
  list(
    options?: ReadOptions & { readonly state?: RunState | undefined; readonly limit?: number | undefined },
  ): Promise<readonly RunSnapshot[]>;
  get(run: string, options?: ReadOptions): Promise<RunSnapshot>;
  crews(options?: ReadOptions): Promise<readonly CrewInfo[]>;
  prices(options?: ReadOptions): Promise<Prices>;
  threads(
    options?: ReadOptions & { readonly limit?: number | undefined; readonly before?: string | undefined },
  ): Promise<ThreadPage>;
  thread(thread: string, options?: ReadOptions): Promise<ThreadRuns>;
  rename(thread: string, title: string, options?: ReadOptions): Promise<ThreadInfo>;
  /** With all that is kept of it; what is live is refused as `illegal_state`. */
  remove(what: { readonly thread: string } | { readonly run: string }, options?: ReadOptions): Promise<void>;
}

export const createReads = (request: Request): Reads => {
  const get = <T>(path: string, options?: ReadOptions): Promise<T> => request("GET", path, options);
  return {
    list: async (options) => (await get<{ runs: readonly RunSnapshot[] }>("/runs", options)).runs,
    get: (run, options) => get(`/runs/${run}`, options),
    crews: async (options) => (await get<{ crews: readonly CrewInfo[] }>("/crews", options)).crews,
    prices: (options) => get("/prices", options),
    threads: (options) => get("/threads", options),
    thread: (thread, options) => get(`/threads/${thread}`, options),
    rename: (thread, title, options) => request("PATCH", `/threads/${thread}`, options, JSON.stringify({ title })),
    remove: (what, options) => {
      const [[kind, id] = []] = Object.entries(what);
      return request("DELETE", `/${kind}s/${id}`, options);
    },
  };
};
