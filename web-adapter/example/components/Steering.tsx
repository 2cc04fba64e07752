import type { Change, RunView, TaskView } from "crew-web-adapter";

/** Who is to hear an instruction, and when. */
export interface To {
  /** A task's `tid`; "": whoever begins the next reply. */
  readonly task: string;
  readonly now: boolean;
}

export const TO_ALL: To = { task: "", now: false };

/** Tasks whose agent can still be told something. */
const targets = (run: RunView): readonly TaskView[] =>
  run.tasks.filter(({ state }) => state === "running" || state === "pending");

/** Whether there may be a reply to cut off. */
const isWriting = (run: RunView): boolean => ["running", "pausing", "paused"].includes(run.state);

/** What `to` comes to by now: a task may have ended, or not have begun. */
function settle({ task, now }: To, run: RunView): To {
  const target = targets(run).find(({ tid }) => tid === task);
  return { task: target?.tid ?? "", now: now && isWriting(run) && target?.state !== "pending" };
}

export function changeOf(instruction: string, to: To, run: RunView): Change {
  const { task, now } = settle(to, run);
  return { instruction, ...(task && { task }), ...(now && { now }) };
}

interface SteeringProps {
  readonly run: RunView;
  readonly to: To;
  readonly onChange: (to: To) => void;
}

/** Said of an instruction that is being written: who hears it, and when. */
export function Steering({ run, to, onChange }: SteeringProps) {
  const { task, now } = settle(to, run);
  const tasks = targets(run);
  const canCut = isWriting(run) && tasks.find(({ tid }) => tid === task)?.state !== "pending";
  return (
    <p className="composer-hint composer-how">
      <label>
        <span>Heard by </span>
        <select value={task} onChange={({ target }) => onChange({ ...to, task: target.value })}>
          <option value="">whoever replies next</option>
          {tasks.map(({ tid, agent, name }) => (
            <option key={tid} value={tid}>
              {`${agent.trim() || "the crew"}, only for ${name.replaceAll("_", " ")}`}
            </option>
          ))}
        </select>
      </label>
      {canCut && (
        <label>
          <input type="checkbox" checked={now} onChange={({ target }) => onChange({ ...to, now: target.checked })} />
          <span>Interrupt the reply being written</span>
        </label>
      )}
    </p>
  );
}
