// A page's client without the page, at a sidecar that comes and goes: bundles src/ and does what it is told.
//
//     node --experimental-websocket steering.mjs <url> <transport>
//
// Takes a line of JSON each, [method of the client, ...arguments] or ["follow", run]; says one, {what, …}, of each
// event but the deltas, each change of the connection or of what is pending, and each answer.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv, stdin } from "node:process";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { rolldown } from "rolldown";

const folder = mkdtempSync(join(tmpdir(), "crew-steering-"));
const bundle = await rolldown({ input: join(import.meta.dirname, "../src/index.ts") });
const { output } = await bundle.write({ file: join(folder, "adapter.mjs"), format: "esm" });
const { createCrewClient } = await import(pathToFileURL(join(folder, output[0].fileName)).href);
rmSync(folder, { recursive: true });

const [, , url, transport] = argv;
/**
 * @param {string} what
 * @param {object} [more]
 */
const say = (what, more) => console.log(JSON.stringify({ what, ...more }));
const client = createCrewClient({ url, transport });
client.subscribe(() => say("client", { state: client.status.state, pending: client.pending }));

/** @param {string} run */
async function follow(run) {
  for await (const { type, seq, cause } of client.follow(run)) if (type !== "llm.delta") say(type, { seq, cause });
  say("end");
}

for await (const line of createInterface({ input: stdin })) {
  const [method, ...rest] = JSON.parse(line);
  const answer = method === "follow" ? follow(rest[0]) : client[method](...rest);
  Promise.resolve(answer).then(
    (value) => say(method, { value }),
    ({ code, message }) => say(method, { code, message }),
  );
}
