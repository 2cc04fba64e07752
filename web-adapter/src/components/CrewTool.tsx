import { memo } from "react";
import { textOf, type ToolFacts } from "./parts.ts";
import { seconds } from "../view.ts";
import { classes, WORDS, type CrewWords } from "./words.ts";

export interface CrewToolProps {
  /** A step of a view, or `toolOf(part)`. */
  readonly tool: ToolFacts;
  readonly words?: Partial<CrewWords> | undefined;
  readonly className?: string;
}

/** What a tool was given and gave, behind a line that says which one it is. */
export const CrewTool = memo(function CrewTool({ tool, words, className }: CrewToolProps) {
  const { state, args, result } = tool;
  const says = { ...WORDS, ...words };
  const took = seconds(tool);
  return (
    <details className={classes("crew-tool", className)} data-state={state}>
      <summary className="crew-tool-head">
        <span className="crew-tool-state">
          {state === "running" ? says.using : state === "failed" ? says.tried : says.used}
        </span>{" "}
        <code className="crew-tool-name">{tool.tool}</code>{" "}
        {took !== null && <span className="crew-tool-time">{says.time(took)}</span>}
      </summary>
      <dl className="crew-tool-body">
        <dt>{says.given}</dt>
        <dd>
          <pre dir="auto">{textOf(args)}</pre>
        </dd>
        {result !== null && (
          <>
            <dt>{state === "failed" ? says.error : says.result}</dt>
            <dd>
              <pre dir="auto">{result}</pre>
            </dd>
          </>
        )}
      </dl>
    </details>
  );
});
