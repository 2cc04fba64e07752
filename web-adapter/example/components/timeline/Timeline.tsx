"use client";

import type { Prices, WorkView } from "crew-web-adapter";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { Bar } from "./bars";
import { Details } from "./Details";
import { Player } from "./Player";
import { Plot } from "./Plot";
import type { Recording } from "./recording";
import { Summary } from "./Summary";

interface TimelineProps {
  readonly recording: Recording;
  /** Another one after each change of the recording. */
  readonly version: number;
  /** The moment that the page shows, Unix ms by the crew's clock; null: the newest. */
  readonly at: number | null;
  readonly onSeek: (ms: number | null) => void;
  /** Left out: nothing is said of what anything cost. */
  readonly prices?: Prices | null | undefined;
  /** Left out: nothing can be run again. */
  readonly onFork?: (task: WorkView) => void;
}

/** A run over time: what went on when, what it was, and the way back to any moment of it. */
export function Timeline({ recording, version, at, onSeek, prices = null, onFork }: TimelineProps) {
  // oxlint-disable-next-line react/exhaustive-deps -- the recording is the same one, its version is not.
  const timeline = useMemo(() => recording.timeline(), [recording, version]);
  const [chosen, choose] = useState<readonly string[]>([]);
  const glance = useRef<HTMLParagraphElement>(null);
  const section = useRef<HTMLElement>(null);

  const bars = useMemo(() => {
    const ids = new Set(chosen);
    return ids.size === 0 ? [] : timeline.bars.filter(({ id }) => ids.has(id));
  }, [timeline, chosen]);
  const onChoose = useCallback((next: readonly Bar[]) => choose(next.map(({ id }) => id)), []);
  // Not rendered: a pointer that passes over the bars would have them all looked at.
  const onGlance = useCallback((words: string) => {
    if (glance.current) glance.current.textContent = words;
  }, []);

  const close = useCallback(() => {
    choose([]);
    section.current?.querySelector<HTMLElement>(".tl-bar[tabindex='0']")?.focus();
  }, []);

  const open = bars.length > 0;
  useEffect(() => {
    const here = section.current;
    if (!open || !here) return;
    const escape = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      // Whatever else Escape does on the page is for another press.
      event.stopPropagation();
      close();
    };
    here.addEventListener("keydown", escape);
    return () => here.removeEventListener("keydown", escape);
  }, [open, close]);

  return (
    <section ref={section} className="timeline" aria-label="Timeline" data-testid="timeline">
      <Summary recording={recording} timeline={timeline} prices={prices} />
      <p className="tl-glance" ref={glance} aria-hidden />
      <Plot
        recording={recording}
        timeline={timeline}
        version={version}
        at={at}
        chosen={chosen}
        onChoose={onChoose}
        onSeek={onSeek}
        onGlance={onGlance}
      />
      <Player timeline={timeline} at={at} onSeek={onSeek} />
      <Details recording={recording} bars={bars} onChoose={onChoose} onClose={close} prices={prices} onFork={onFork} />
    </section>
  );
}
