// @vitest-environment jsdom
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CrewError, emptyRun, type PendingCommand, type RunView } from "../../src/index.ts";
import type { ConnectionStatus } from "../../src/index.ts";
import { Connection, Trouble } from "../../example/components/Connection.tsx";
import { PauseButton } from "../../example/components/Controls.tsx";
import { Refusal } from "../../example/components/Refusal.tsx";
import { useCommand } from "../../example/components/useCommand.ts";
import { runOf } from "../../example/components/useRun.ts";
import { useUnconfirmed } from "../../example/components/useUnconfirmed.ts";

const IDLE: ConnectionStatus = { state: "idle", transport: null, trouble: null, error: null, retryAt: null };
const crew = vi.hoisted(() => {
  const listeners = new Set<() => void>();
  return {
    url: "http://sidecar",
    pause: vi.fn(),
    reconnect: vi.fn(),
    status: {} as unknown,
    pending: [] as unknown,
    subscribe: (listener: () => void) => (listeners.add(listener), () => listeners.delete(listener)),
    tell: (change: object) => {
      Object.assign(crew, change);
      for (const listener of listeners) listener();
    },
  };
});
vi.mock("../../example/components/crew.ts", () => ({ crew, sidecar: { address: () => crew.url } }));
vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);

let root: Root;
let place: HTMLElement;

beforeEach(() => {
  Object.assign(crew, { status: IDLE, pending: [] });
  place = document.createElement("div");
  root = createRoot(place);
});
afterEach(async () => {
  vi.useRealTimers();
  await act(async () => root.unmount());
});

const running = (run: string): RunView => ({ ...emptyRun, run, state: "running" });
const button = (name: string) =>
  [...place.querySelectorAll("button")].find((one) => [one.ariaLabel, one.textContent].includes(name));

test("a refused command is said in words where it was given, and is not said of the next run", async () => {
  function Steering({ run }: { readonly run: RunView }) {
    const giving = useCommand(run.run);
    return (
      <>
        {giving.refusal && <Refusal error={giving.refusal} />}
        <PauseButton run={run} giving={giving} />
      </>
    );
  }
  crew.pause.mockRejectedValue(
    new CrewError({ code: "illegal_state", message: "it is being stopped", temporary: false }),
  );
  await act(async () => root.render(<Steering run={running("r_1")} />));
  await act(async () => button("Pause")!.click());
  expect(place.querySelector("[role=alert]")!.textContent).toBe("It is being stopped.");
  await act(async () => root.render(<Steering run={running("r_2")} />));
  expect(place.querySelector("[role=alert]")).toBeNull();
});

test("of several runs in a reply the live one counts, and the newest where none is", () => {
  const parts = (...views: readonly RunView[]) => views.map((data) => ({ type: "data", name: "crew", data }));
  const ended: RunView = { ...emptyRun, run: "r_0", state: "completed", output: "" };
  expect(runOf(parts(ended, running("r_1")))?.run).toBe("r_1");
  expect(runOf(parts(running("r_1"), { ...ended, run: "r_2" }))?.run).toBe("r_1");
  expect(runOf(parts(ended, { ...ended, run: "r_2" }))?.run).toBe("r_2");
  expect(runOf([{ type: "text" }])).toBeUndefined();
});

test("a command that nobody confirmed is told of its own run, until it is", async () => {
  const Told = () => useUnconfirmed("r_1")?.cmd ?? "none";
  const kept = (run: string, unconfirmed: boolean): PendingCommand => ({
    id: "c",
    command: { cmd: "cancel", run },
    since: 0,
    unconfirmed,
  });
  await act(async () => root.render(<Told />));
  await act(async () => crew.tell({ pending: [kept("r_1", false), kept("r_2", true)] }));
  expect(place.textContent).toBe("none");
  await act(async () => crew.tell({ pending: [kept("r_1", true)] }));
  expect(place.textContent).toBe("cancel");
  await act(async () => crew.tell({ pending: [] }));
  expect(place.textContent).toBe("none");
});

test("a connection that stays lost is said with the time of the next try, a way to try now, and a reason that helps", async () => {
  vi.useFakeTimers({ now: 1_000_000 });
  const error = new CrewError({
    code: "unreachable",
    message: "No sidecar answers at http://sidecar.",
    temporary: true,
  });
  await act(async () =>
    root.render(
      <>
        <Connection />
        <Trouble />
      </>,
    ),
  );
  const told = () => place.querySelector(".trouble")!.textContent;
  const away = { ...IDLE, state: "reconnecting", error, retryAt: Date.now() + 9_000 };
  await act(async () => crew.tell({ status: away }));
  // Most breaks are over before anybody could read of them.
  expect(button("Retry now")).toBeUndefined();
  expect(document.documentElement.hasAttribute("data-still")).toBe(false);
  await act(async () => vi.advanceTimersByTime(1_000));
  expect(place.querySelector("[role=status]")!.textContent).toBe("Connection lost");
  expect(told()).toBe("Connection lostretrying in 8 sRetry now");
  expect(document.documentElement.hasAttribute("data-still")).toBe(true);
  await act(async () => button("Retry now")!.click());
  expect(crew.reconnect).toHaveBeenCalledTimes(1);
  const unknown = new CrewError({ code: "unauthorized", message: "sign in again", temporary: true });
  await act(async () => crew.tell({ status: { ...away, error: unknown } }));
  expect(place.querySelector("[role=status]")!.textContent).toBe("Connection lost: Sign in again.");
  await act(async () => crew.tell({ status: { ...IDLE, state: "open", transport: "ws" } }));
  expect(told()).toBe("");
  expect(document.documentElement.hasAttribute("data-still")).toBe(false);
  expect(place.textContent).toBe("Live by WebSocket");
});
