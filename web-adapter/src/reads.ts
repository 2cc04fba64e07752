import type {
  CrewInfo,
  Prices,
  RunPage,
  RunSnapshot,
  RunState,
  ThreadInfo,
  ThreadPage,
  ThreadRuns,
} from "./protocol.ts";

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Which runs are meant: those for which all of it holds. */
export interface RunQuery {
  /** One or several; `live` and `final` are all that are. */
  readonly state?: RunState | "live" | "final" | readonly (RunState | "live" | "final")[] | undefined;
  readonly crew?: string | undefined;
  /** Words, at most 200 characters: each is in the run's inputs, in its crew's name or in its thread's title. */
  readonly q?: string | undefined;
  /** Most on one page, 1 to 1,000; 50. */
  readonly limit?: number | undefined;
  /** Without outputs, and of the inputs the beginnings. */
  readonly brief?: boolean | undefined;
  /** Whether how many there are in each state is told too, whatever `state` says. */
  readonly counts?: boolean | undefined;
}

/** The answer to `method path`, `body` as JSON; rejects with a CrewError, and with the signal's reason. */
export type Request = <T>(method: string, path: string, options?: ReadOptions, body?: string) => Promise<T>;

/** What the sidecar keeps beside the logs of its runs. */
export interface Reads {
  /** `before`: the `next` of the page before. */
  runs(query?: ReadOptions & RunQuery & { readonly before?: string | undefined }): Promise<RunPage>;
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
    runs: (query) => get("/runs", query),
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
