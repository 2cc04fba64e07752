"use client";

import { ActionBarPrimitive, MessagePrimitive, useAuiState, type TextMessagePartProps } from "@assistant-ui/react";
import { CREW_PART } from "crew-web-adapter/react";
import { crew } from "./crew";
import { Markdown } from "./Markdown";
import { Progress } from "./Progress";
import { says } from "./useCommand";
import { useRun } from "./useRun";

/** What the crew did, then what it says, then what that took. */
export function AssistantMessage() {
  return (
    <MessagePrimitive.Root className="assistant">
      <MessagePrimitive.Parts
        components={{ Text: Answer, data: { by_name: { [CREW_PART]: Progress } }, tools: { Override: Nothing } }}
      />
      <Problem />
      <Footnote />
    </MessagePrimitive.Root>
  );
}

/** While the crew works its words stand with the agent who writes them; here is only the result. */
function Answer({ text }: TextMessagePartProps) {
  const done = useRun()?.state === "completed";
  return done && text ? (
    <div className="answer" data-testid="answer">
      <Markdown text={text} />
    </div>
  ) : null;
}

/** Tools are shown with the task that used them. */
const Nothing = () => null;

interface ErrorNote {
  readonly code: string;
  readonly message: string;
}

function Problem() {
  const begun = useRun() !== undefined;
  const error = useAuiState(({ message: { status } }) =>
    status?.type === "incomplete" && status.reason === "error" ? (status.error as unknown as ErrorNote) : null,
  );
  if (!error) return null;
  const away = error.code === "unreachable";
  return (
    <div className="problem" role="alert">
      <h3>{away ? "The sidecar isn’t running" : begun ? "The crew couldn’t finish" : "The crew couldn’t start"}</h3>
      {away ? (
        <p>
          Nothing answers at <code>{crew.url}</code>. Start it with <code>make serve</code>, then try again.
        </p>
      ) : (
        <p>{begun ? error.message : says(error)}</p>
      )}
      <ActionBarPrimitive.Reload className="link">Try again</ActionBarPrimitive.Reload>
    </div>
  );
}

function Footnote() {
  const run = useRun();
  const status = useAuiState(({ message }) => message.status);
  if (!run || status?.type === "running") return null;
  const { calls, prompt_tokens: sent, completion_tokens: written } = run.usage;
  return (
    <footer className="footnote">
      {status?.type === "incomplete" && status.reason === "cancelled" && <p>Stopped.</p>}
      {run.state === "completed" && calls > 0 && (
        <p>
          Done · {count(calls, "model call")} · {count(sent + written, "token")}
        </p>
      )}
      {run.model === "offline" && (
        <p>
          Answers come from the built-in offline model. Set <code>OPENAI_API_KEY</code> for real ones.
        </p>
      )}
    </footer>
  );
}

const count = (n: number, noun: string) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
