import type { RunView } from "crew-web-adapter";

/** What the crew printed; of a long one the newest lines. */
export function Log({ logs }: Pick<RunView, "logs">) {
  if (logs.length === 0) return <p className="soft">The crew has printed nothing.</p>;
  return (
    // It scrolls to the side, also by keyboard.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <ol className="log" tabIndex={0} aria-label="What the crew printed">
      {logs.map(({ stream, text }, n) => (
        // Lines only come at the end, or go at the beginning.
        <li key={n} data-stream={stream}>
          {stream !== "stdout" && <span className="log-stream">{stream}</span>}
          <span dir="auto">{text.replace(/\n$/, "")}</span>
        </li>
      ))}
    </ol>
  );
}
