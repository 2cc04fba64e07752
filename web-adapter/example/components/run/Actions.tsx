"use client";

import { CrewError, isFinal, type RunView } from "crew-web-adapter";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { useState } from "react";
import { addressOf, RUNS } from "../address";
import { crew } from "../crew";
import { Refusal } from "../Refusal";
import { useCommand } from "../useCommand";
import { eventsOf, save } from "./events";

interface ActionsProps {
  readonly run: RunView;
  readonly id: string;
  /** Absent: no other run can begin at a task of this one. */
  readonly onFork: (() => void) | undefined;
}

/** Where to go from here, and what to take along. */
export function Actions({ run, id, onFork }: ActionsProps) {
  const { busy, refusal, give } = useCommand(id);
  const download = () =>
    void give(async () => {
      const events = await eventsOf(crew.url, id).catch((error: Error) => {
        throw new CrewError({ code: "unreachable", message: error.message, temporary: true });
      });
      save(`${id}.json`, "application/json", JSON.stringify(events, null, 1));
    });
  return (
    <section className="run-actions" aria-label="This run">
      {run.thread !== null && (
        <Link className="link" href={addressOf(run.thread)}>
          Continue in chat
        </Link>
      )}
      {onFork && (
        <button type="button" className="link" onClick={onFork}>
          Run again from a task…
        </button>
      )}
      <a className="link" href={`${crew.url}/runs/${id}/export`} download>
        Export as a page
      </a>
      <button type="button" className="link" aria-disabled={busy} onClick={() => busy || download()}>
        Download events
      </button>
      {isFinal(run.state) && <Remove id={id} />}
      {refusal && <Refusal error={refusal} />}
    </section>
  );
}

/** Forgets a run that is over, once somebody has said so twice. */
function Remove({ id }: { readonly id: string }) {
  const router = useRouter();
  const [asks, setAsks] = useState(false);
  const { busy, refusal, give } = useCommand(id);
  const remove = async () => {
    if (await give(() => crew.remove({ run: id }))) router.push(RUNS);
  };
  if (!asks)
    return (
      <button type="button" className="link" onClick={() => setAsks(true)}>
        Delete
      </button>
    );
  return (
    <span className="run-sure" role="group" aria-label="Delete this run?">
      <span>Delete it for good?</span>
      {/* Where the focus was is gone, and it is one press from there. */}
      {/* oxlint-disable-next-line jsx-a11y/no-autofocus */}
      <button type="button" className="link" autoFocus aria-disabled={busy} onClick={() => busy || void remove()}>
        Delete
      </button>
      <button type="button" className="link" onClick={() => setAsks(false)}>
        Keep
      </button>
      {refusal && <Refusal error={refusal} />}
    </span>
  );
}
