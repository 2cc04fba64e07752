/**
 * The page that tests/bench measures: the five lines, stock messages, and the package's components.
 * `window.bench` is for whoever drives it; all times are ms.
 */
import {
  AssistantRuntimeProvider,
  MessagePrimitive,
  ThreadPrimitive,
  type AssistantRuntime,
} from "@assistant-ui/react";
import { createRoot } from "react-dom/client";
import { createCrewClient, type RunView } from "../../src/index.ts";
import { CrewProgress } from "../../src/components/index.ts";
import { CREW_PART, useCrewRuntime } from "../../src/react/index.ts";

interface Bench {
  /** Follows one synthetic run to its end: what each event took from the worker until `onEvent`, and into the DOM. */
  events(inputs: object): Promise<{ readonly onEvent: readonly number[]; readonly inDom: readonly number[] }>;
  /** From Send to the first word that the crew writes, in the DOM. */
  firstWord(brief: string): Promise<number>;
  /** The same by a route that answers when the crew has ended. */
  firstWordOfRoute(brief: string): Promise<number>;
}

declare global {
  interface Window {
    bench: Bench;
  }
}

const query = new URLSearchParams(location.search);
const crew = createCrewClient({
  url: query.get("sidecar")!,
  transport: query.get("transport") as "ws" | "sse",
});

let inputs: object | undefined;
let born: number[] = [];
let heard: number[] = [];
let ended = () => {};
let runtime: AssistantRuntime | undefined;

/** Unix ms by the fine clock, set by the coarse one at the moment at which that steps. */
const ahead = (() => {
  const before = Date.now();
  while (Date.now() === before);
  return Date.now() - performance.now();
})();
const now = () => ahead + performance.now();

const Progress = ({ data }: { readonly data: RunView }) => (
  <div data-seq={data.seq}>
    <CrewProgress run={data} />
  </div>
);
const Nothing = () => null;
const AssistantMessage = () => (
  <MessagePrimitive.Parts
    components={{
      data: { by_name: { [CREW_PART]: Progress } },
      tools: { Override: Nothing },
      Reasoning: Nothing,
      Text: Nothing,
    }}
  />
);

function Page() {
  runtime = useCrewRuntime(crew, {
    ...(query.get("crew") && { crew: query.get("crew")! }),
    ...(query.get("crew") && { toInputs: () => ({ ...inputs }) }),
    reasoning: false,
    onEvent(event) {
      if (event.type !== "llm.delta") return;
      born[event.seq] = event.ts;
      heard[event.seq] = now();
    },
    onFinish: () => ended(),
  });
  return (
    <AssistantRuntimeProvider runtime={runtime}>
      <ThreadPrimitive.Messages components={{ UserMessage: Nothing, AssistantMessage }} />
    </AssistantRuntimeProvider>
  );
}

/** Calls back after each change of the page, in the microtask behind it. */
function watch(changed: () => void): () => void {
  const observer = new MutationObserver(changed);
  observer.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
  return () => observer.disconnect();
}

const words = () => document.querySelector(".crew-words, .route")?.textContent;

async function untilWords(begin: () => unknown): Promise<number> {
  const began = performance.now();
  return new Promise((resolve) => {
    const stop = watch(() => {
      if (!words()) return;
      stop();
      resolve(performance.now() - began);
    });
    begin();
  });
}

window.bench = {
  async events(given) {
    inputs = given;
    born = [];
    heard = [];
    const shown: number[] = [];
    const stop = watch(() => {
      const at = now();
      const seq = Number(document.querySelector<HTMLElement>("[data-seq]")?.dataset["seq"] ?? 0);
      for (let n = seq; n > 0 && shown[n] === undefined; n--) shown[n] = at;
    });
    const finished = new Promise<void>((resolve) => (ended = resolve));
    runtime!.thread.append("go");
    await finished;
    stop();
    const since = (times: readonly number[]) =>
      born.flatMap((birth, seq) => (times[seq] === undefined ? [] : [times[seq] - birth]));
    return { onEvent: since(heard), inDom: since(shown) };
  },
  firstWord: async (brief) => untilWords(() => runtime!.thread.append(brief)),
  firstWordOfRoute: async (brief) =>
    untilWords(async () => {
      const body = JSON.stringify({ message: brief });
      const response = await fetch("/api/crew", { method: "POST", body });
      const place = document.body.appendChild(document.createElement("p"));
      place.className = "route";
      place.textContent = ((await response.json()) as { output: string }).output;
    }),
};

createRoot(document.body.appendChild(document.createElement("main"))).render(<Page />);
