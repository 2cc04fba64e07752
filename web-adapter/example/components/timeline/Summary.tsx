"use client";

import type { Prices } from "crew-web-adapter";
import { useMemo } from "react";
import { useNow } from "../useNow";
import { count } from "../worked";
import type { Busy, Timeline } from "./bars";
import { costOfRun } from "./cost";
import type { Recording } from "./recording";
import { nowOf } from "./useClock";
import { clock, lasting } from "./words";

interface SummaryProps {
  readonly recording: Recording;
  readonly timeline: Timeline;
  readonly prices: Prices | null;
}

/** What the whole run took, and what it was that took so long. */
export function Summary(props: SummaryProps) {
  const { timeline, prices } = props;
  return timeline.live ? <Ticking {...props} /> : <Told timeline={timeline} prices={prices} now={timeline.end} />;
}

/** Apart: what has ended does not tick. */
function Ticking({ recording, timeline, prices }: SummaryProps) {
  useNow(1_000);
  return <Told timeline={timeline} prices={prices} now={nowOf(recording)} />;
}

function Told({ timeline, prices, now }: Omit<SummaryProps, "recording"> & { readonly now: number }) {
  const cost = useMemo(() => costOfRun(timeline, prices), [timeline, prices]);
  const { start, calls, tokens, models, tools, people, paused } = timeline;
  const all = tokens.prompt + tokens.completion;
  return (
    <div className="tl-summary">
      <p className="tl-sum">
        <strong>{clock(now - start)}</strong>
        {calls > 0 && <span>{count(calls, "model call")}</span>}
        {all > 0 && (
          <span title={`${count(tokens.prompt, "token")} in, ${count(tokens.completion, "token")} out`}>
            {count(all, "token")}
          </span>
        )}
        {cost && <span>{cost}</span>}
      </p>
      <dl className="tl-spent">
        <Spent kind="call" name="Models" busy={models} now={now} always />
        <Spent kind="tool" name="Tools" busy={tools} now={now} />
        <Spent kind="wait" name="Waiting for you" busy={people} now={now} />
        <Spent kind="pause" name="Paused" busy={paused} now={now} />
      </dl>
    </div>
  );
}

interface SpentProps {
  readonly kind: string;
  readonly name: string;
  readonly busy: Busy;
  readonly now: number;
  readonly always?: boolean;
}

function Spent({ kind, name, busy: { ms, since }, now, always = false }: SpentProps) {
  const spent = ms + (since === null ? 0 : Math.max(0, now - since));
  return spent > 0 || always ? (
    <div>
      <dt>
        <i className="tl-swatch" data-kind={kind} aria-hidden />
        {name}
      </dt>
      <dd>{lasting(spent)}</dd>
    </div>
  ) : null;
}
