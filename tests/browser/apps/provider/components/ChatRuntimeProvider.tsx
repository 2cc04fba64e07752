"use client";

import { AssistantRuntimeProvider } from "@assistant-ui/react";
import { createCrewClient, isFinal, seconds, textOf, type RunView } from "crew-web-adapter";
import { useCrewRuntime, useLiveRun, useThreads } from "crew-web-adapter/react";
import { useEffect, useState, type ReactNode } from "react";

const crew = createCrewClient({
  url: process.env.NEXT_PUBLIC_CREW_URL ?? "http://127.0.0.1:8770",
  // The conversation outlives the tab.
  storage: () => localStorage,
});

const LANGUAGES: Record<string, string> = { en: "English", id: "Bahasa Indonesia" };

/** Who works on a task, for people. */
const NAMES: Record<string, string> = {
  create_content_plan: "Content Planner",
  analyze_sentiment: "Sentiment Analyst",
  research_trends: "Trend Researcher",
};

const ERRORS: Record<string, string> = {
  unreachable: "The crew is not at work at the moment. Please send your message again later.",
  at_capacity: "The crew has too much to do. Please send your message again in a minute.",
};

const WELCOME = { role: "assistant", content: "Welcome! What shall we plan today?" } as const;

const withoutMarkdown = (text: string) => text.replace(/^#+ |\*\*/gm, "");

const text = (view: RunView) =>
  view.state === "failed"
    ? (ERRORS[view.error.code] ?? `Something went wrong: ${view.error.message}`)
    : withoutMarkdown(textOf(view));

/** Each result once: a run that ended while no page was open is told when one is again. */
async function save({ run, state, inputs, tasks }: RunView) {
  const saved = `saved/${run}`;
  if (state !== "completed" || localStorage.getItem(saved)) return;
  const results = tasks.map(({ name, output }) => ({ task: name, output }));
  const { ok } = await fetch("/api/results", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ run, language: inputs["output_language"], results }),
  });
  if (ok) localStorage.setItem(saved, "yes");
}

export function ChatRuntimeProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState("en");
  const runtime = useCrewRuntime(crew, {
    toInputs: (messages) => ({
      user_input: messages
        .filter(({ role }) => role === "user")
        .at(-1)
        ?.content.map((part) => (part.type === "text" ? part.text : ""))
        .join("\n"),
      output_language: language,
    }),
    toText: ({ user_input }) => String(user_input),
    text,
    initialMessages: [WELCOME],
    onFinish: (view) => void save(view),
  });
  return (
    <AssistantRuntimeProvider runtime={runtime}>
      <History
        open={(thread) =>
          thread ? runtime.threads.switchToThread(thread) : runtime.threads.switchToNewThread()
        }
      />
      <select aria-label="Language" value={language} onChange={(event) => setLanguage(event.target.value)}>
        {Object.entries(LANGUAGES).map(([code, name]) => (
          <option key={code} value={code}>
            {name}
          </option>
        ))}
      </select>
      {children}
      <Progress />
    </AssistantRuntimeProvider>
  );
}

function History({ open }: { open: (thread?: string) => void }) {
  const { threads } = useThreads(crew);
  return (
    <nav aria-label="History">
      <button onClick={() => open()}>New</button>
      {threads.map(({ thread, title }) => (
        <button key={thread} onClick={() => open(thread)}>
          {title}
        </button>
      ))}
    </nav>
  );
}

function Progress() {
  const run = useLiveRun();
  const [now, setNow] = useState(Date.now);
  const live = run !== null && !isFinal(run.state);
  useEffect(() => {
    if (!live) return;
    const timer = setInterval(() => setNow(Date.now()), 100);
    return () => clearInterval(timer);
  }, [live]);
  return (
    <ol aria-label="Progress">
      {run?.tasks.map((task) => (
        <li key={task.tid} data-state={task.state}>
          {NAMES[task.name] ?? task.agent} {seconds(task, now)?.toFixed(1)}
        </li>
      ))}
    </ol>
  );
}
