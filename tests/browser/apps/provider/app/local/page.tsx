"use client";

import { AssistantRuntimeProvider, makeAssistantToolUI, useLocalRuntime } from "@assistant-ui/react";
import { createCrewClient, type CrewClient } from "crew-web-adapter";
import { createCrewAdapter, CREW_QUESTION } from "crew-web-adapter/react";
import { useEffect, useState, useSyncExternalStore } from "react";
import { Thread } from "../../components/Thread";

/** The adapter for a LocalRuntime, at `?crew=` by `?transport=`. */
export default function Local() {
  const [crew, setCrew] = useState<CrewClient>();
  useEffect(() => {
    const query = new URLSearchParams(location.search);
    setCrew(createCrewClient({ url: query.get("crew")!, transport: query.get("transport") as "ws" | "sse" }));
  }, []);
  return crew ? <Chat crew={crew} /> : null;
}

const review = () => ["create_content_plan"];

function Chat({ crew }: { crew: CrewClient }) {
  const [{ chatModel, history }] = useState(() => createCrewAdapter(crew, { review }));
  const runtime = useLocalRuntime(chatModel, { adapters: { history }, unstable_humanToolNames: [CREW_QUESTION] });
  const pending = useSyncExternalStore(crew.subscribe, () => crew.pending);
  return (
    <AssistantRuntimeProvider runtime={runtime}>
      <Question />
      <Thread />
      <output>{pending.map(({ command, unconfirmed }) => unconfirmed && `${command.cmd} is not confirmed`)}</output>
    </AssistantRuntimeProvider>
  );
}

const Question = makeAssistantToolUI<{ prompt: string }, string>({
  toolName: CREW_QUESTION,
  render: ({ args, result, addResult }) => (
    <p data-testid="question">
      {args.prompt} {result ?? <button onClick={() => addResult("Shorter, please")}>Shorter</button>}
    </p>
  ),
});
