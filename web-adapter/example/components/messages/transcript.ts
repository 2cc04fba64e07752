import type { Note, RunView } from "crew-web-adapter";
import { STATES } from "../phase";
import { answerOf } from "./written";
import { modelName } from "../model";
import { inWords } from "../start";

/** A run to keep: what it was asked, what was said on the way, what each task gave, and what that took. */
export function transcriptOf(run: RunView, brief: string): string {
  const outputs = run.tasks.filter(({ output }) => output?.trim());
  const said = run.notes.flatMap(wordsOf);
  const answer = answerOf(run);
  const parts = [
    `# ${titleOf(brief)}`,
    quoted(brief),
    factsOf(run)
      .map(([name, value]) => `- ${name}: ${value}`)
      .join("\n"),
    said.length > 0 && `## On the way\n\n${said.join("\n")}`,
    ...outputs.map(
      ({ name, agent, output }) =>
        `## ${[inWords(name), agent.trim()].filter(Boolean).join(" · ")}\n\n${output!.trim()}`,
    ),
    "error" in run && run.error && `## What went wrong\n\n${run.error.message}`,
    answer !== "" && outputs.at(-1)?.output?.trim() !== answer && `## Answer\n\n${answer}`,
  ];
  return `${parts.filter(Boolean).join("\n\n")}\n`;
}

/** Names are letters and digits of any script, 60 at most. */
export function fileNameOf(brief: string): string {
  const words = brief.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  let name = "";
  for (const word of words) {
    if (name.length + word.length >= 60) break;
    name = name ? `${name}-${word}` : word;
  }
  return `${name || "run"}.md`;
}

const titleOf = (brief: string) => brief.trim().split("\n")[0]?.slice(0, 120) || "A run";

const quoted = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => `> ${line}`.trimEnd())
    .join("\n");

function factsOf({ crew, state, model, created, started, ended, usage }: RunView): [name: string, value: string][] {
  const { calls, prompt_tokens: sent, completion_tokens: written } = usage;
  const seconds = started !== null && ended !== null ? (ended - started) / 1_000 : null;
  const facts: [string, string | null | false][] = [
    ["State", STATES[state]],
    ["Crew", crew],
    ["Model", model && modelName(model)],
    ["Date", when(created ?? started)],
    ["Took", seconds !== null && `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`],
    ["Tokens", calls > 0 && `${(sent + written).toLocaleString("en")} (${calls} model calls)`],
  ];
  return facts.filter((fact): fact is [string, string] => Boolean(fact[1]));
}

/** In UTC, so that a file says the same wherever it is read. */
const when = (ms: number | null) => ms !== null && `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC`;

function wordsOf(note: Note): string[] {
  if (note.kind === "question") {
    const answer = note.text === null ? "not answered" : note.text || "accepted";
    return [`- The crew asked: ${oneLine(note.prompt)} — ${oneLine(answer)}`];
  }
  const { change } = note;
  return "instruction" in change ? [`- You said: ${oneLine(change.instruction)}`] : [];
}

const oneLine = (text: string) => text.trim().replace(/\s+/g, " ");
