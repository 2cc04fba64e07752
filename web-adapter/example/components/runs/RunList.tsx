"use client";

import type { CrewError, RunPage, RunSnapshot } from "crew-web-adapter";
import { useCrewRuns, useCrews, type CrewRuns } from "crew-web-adapter/react";
import Link from "next/link";
import { Suspense, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Bar } from "../Bar";
import { MAIN } from "../composer-focus";
import { crew } from "../crew";
import { NotRunning } from "../NotRunning";
import { Problem } from "../Outcome";
import { count } from "../worked";
import { says } from "../useCommand";
import { countOf, EVERYTHING, isEverything, PAGE, queriesOf } from "./filter";
import { inOrder } from "./order";
import { RunFilter } from "./RunFilter";
import { OpenRow, OverRow } from "./RunRow";
import { useFilter } from "./useFilter";
import { rowsIn, useKeptFocus } from "./useKeptFocus";

/** How many are followed at once: with one request besides, five of a browser's six connections. */
const FOLLOWED = 4;

/** All that the sidecar keeps: what is open, what wants the reader first, then what is over, newest first. */
export function RunList() {
  return (
    <div className="page">
      <Bar />
      <main id={MAIN} className="column" tabIndex={-1}>
        <h1 className="title">Runs</h1>
        <Suspense fallback={<Looking />}>
          <Runs />
        </Suspense>
      </main>
    </div>
  );
}

const Looking = () => <p className="soft">Looking…</p>;

function Runs() {
  const [filter, setFilter, addressOf] = useFilter();
  const queries = queriesOf(filter);
  const open = useCrewRuns(crew, queries.open);
  const over = useCrewRuns(crew, queries.over);
  const { crews } = useCrews(crew);
  const focus = useKeptFocus<HTMLDivElement>();
  const box = useRef<HTMLInputElement>(null);

  const loading = open.loading || over.loading;
  const error = over.error ?? open.error;
  const shown = useShown(open, over, isEverything(filter), loading);
  const all = [...shown.open, ...shown.over];
  const named = [
    ...crews.map(({ name }) => name),
    ...all.map((run) => run.crew),
    ...(filter.crew ? [filter.crew] : []),
  ];
  const names = [...new Set(named)].toSorted();
  const refresh = () => {
    open.refresh();
    over.refresh();
  };
  const showAll = () => {
    setFilter(EVERYTHING);
    box.current?.focus();
  };
  const none = shown.known && !error && all.length === 0;
  return (
    <div {...focus}>
      {!(none && shown.everything) && (
        <RunFilter {...{ filter, addressOf, box }} onChange={setFilter} crews={names} counts={shown.counts} />
      )}
      {error && <Failed error={error} again={refresh} />}
      {!shown.known && !error && <Looking />}
      {none && shown.everything && (
        <p className="soft">
          No runs yet. <Link href="/">Write a brief</Link>, and it is kept here.
        </p>
      )}
      {none && !shown.everything && (
        <p className="soft">
          No run is like that.{" "}
          <button type="button" className="link" onClick={showAll}>
            Show all
          </button>
        </p>
      )}
      <p className="sr-only" role="status">
        {!loading &&
          !isEverything(filter) &&
          `${count(countOf(filter.state, shown.counts) ?? all.length, "run")} found.`}
      </p>
      <div className="run-lists" data-stale={error !== null || undefined} aria-busy={loading}>
        {shown.open.length > 0 && <Open runs={shown.open} namesCrew={names.length > 1} />}
        {shown.over.length > 0 && (
          <Over
            runs={shown.over}
            list={over}
            total={filter.state === null ? countOf("over", shown.counts) : countOf(filter.state, shown.counts)}
            namesCrew={names.length > 1}
          />
        )}
      </div>
    </div>
  );
}

interface Shown {
  readonly known: boolean;
  /** Whether nothing was left out. */
  readonly everything: boolean;
  readonly open: readonly RunSnapshot[];
  readonly over: readonly RunSnapshot[];
  readonly counts: RunPage["counts"];
}

const NOTHING: Shown = { known: false, everything: false, open: [], over: [], counts: undefined };

/** What was known last, until what is asked for now is. */
function useShown(open: CrewRuns, over: CrewRuns, everything: boolean, loading: boolean): Shown {
  const counts = over.counts ?? open.counts;
  const now = useMemo(
    () => ({ known: true, everything, open: inOrder(open.runs), over: over.runs, counts }),
    [everything, open.runs, over.runs, counts],
  );
  const [last, setLast] = useState(NOTHING);
  if (!loading && last !== now) setLast(now);
  return loading ? last : now;
}

interface FailedProps {
  readonly error: CrewError;
  readonly again: () => void;
}

function Failed({ error, again }: FailedProps) {
  const action = (
    <button type="button" className="link" onClick={again}>
      Try again
    </button>
  );
  return (
    <section aria-labelledby="runs-trouble">
      <h2 id="runs-trouble" className="sr-only">
        Trouble
      </h2>
      {error.code === "unreachable" ? (
        <NotRunning action={action} />
      ) : (
        <Problem title="The runs can’t be listed" action={action}>
          {says(error)}
        </Problem>
      )}
    </section>
  );
}

interface OpenProps {
  readonly runs: readonly RunSnapshot[];
  readonly namesCrew: boolean;
}

function Open({ runs, namesCrew }: OpenProps) {
  // One in line moves with the others of the list.
  const followed = new Set(runs.filter(({ state }) => state !== "queued").slice(0, FOLLOWED));
  return (
    <section aria-labelledby="open-runs">
      <h2 id="open-runs">
        Open <span>{runs.length.toLocaleString("en")}</span>
      </h2>
      <ul>
        {runs.map((run) => (
          <OpenRow key={run.run} run={run} followed={followed.has(run)} namesCrew={namesCrew} />
        ))}
      </ul>
    </section>
  );
}

interface OverProps extends OpenProps {
  readonly list: CrewRuns;
  /** How many there are, on whichever page. */
  readonly total: number | undefined;
}

function Over({ runs, list, total = runs.length, namesCrew }: OverProps) {
  const rows = useRef<HTMLUListElement>(null);
  /** How many there were when older ones were asked for. */
  const asked = useRef(Infinity);
  useLayoutEffect(() => {
    if (runs.length <= asked.current) return;
    // Where the button was, which has moved on or is gone.
    rowsIn(rows.current)[asked.current]?.querySelector("a")?.focus({ preventScroll: true });
    asked.current = Infinity;
  }, [runs.length]);
  const more = () => {
    asked.current = runs.length;
    list.more();
  };
  return (
    <section aria-labelledby="over-runs">
      <h2 id="over-runs">
        Finished <span>{total.toLocaleString("en")}</span>
      </h2>
      <ul ref={rows}>
        {runs.map((run) => (
          <OverRow key={run.run} run={run} namesCrew={namesCrew} onRemove={list.remove} />
        ))}
      </ul>
      {list.hasMore && (
        <p className="run-more">
          <button type="button" className="pill" aria-disabled={list.loadingMore} onClick={more}>
            {list.loadingMore ? "Looking…" : "Show older"}
          </button>
          <span>
            {runs.length.toLocaleString("en")} of {total.toLocaleString("en")}
          </span>
        </p>
      )}
      {list.moreError && (
        <p className="refused" role="alert">
          {says(list.moreError)}
        </p>
      )}
      {!list.hasMore && runs.length > PAGE && <p className="run-more">These are all that are kept.</p>}
    </section>
  );
}
