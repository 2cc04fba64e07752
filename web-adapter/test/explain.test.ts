import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { explain } from "../example/components/explain.ts";
import type { Failure } from "../src/index.ts";

/** Recorded from real clients and runs: tests/support/refusals.py. */
const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../tests/vectors/errors.json"), "utf8"),
) as Record<string, Failure>;
const LOCAL = "The model's server (127.0.0.1:8000)";

const TITLES: Readonly<Record<string, readonly [title: string, hint: RegExp]>> = {
  "Anthropic: no such model": ["Anthropic has no model claude-sonnet-4.", /name of the model/],
  "Anthropic: nothing left to spend": ["The account at Anthropic has nothing left to spend.", /billing/],
  "Anthropic: overloaded": ["Anthropic is overloaded.", /minute/],
  "Anthropic: too long": ["There was more to read than claude-sonnet-4 takes at once.", /Shorten/],
  "Anthropic: wrong key": ["Anthropic rejected the key.", /ANTHROPIC_API_KEY/],
  "Azure by OpenAI's client: filtered": [`${LOCAL} refused to answer this, by its rules on content.`, /other words/],
  "Azure: wrong key": ["Azure rejected the key.", /AZURE_API_KEY/],
  "Bedrock: no access": ["Amazon Bedrock doesn't let this key use anthropic.claude-3-sonnet.", /access/],
  "Bedrock: wrong key": ["Amazon Bedrock rejected the key.", /AWS_SECRET_ACCESS_KEY/],
  "Gemini: no such model": ["Gemini has no model gemini-2.5-flash.", /name of the model/],
  "Gemini: wrong key": ["Gemini rejected the key.", /GEMINI_API_KEY/],
  "Ollama: no such model": ["Ollama has no model llama3.", /ollama pull llama3/],
  "OpenAI: its server fails": [`${LOCAL} failed on its own side.`, /minute/],
  "OpenAI: no such model": [`${LOCAL} has no model any-model.`, /name of the model/],
  "OpenAI: nothing left to spend": ["The account at OpenAI has nothing left to spend.", /billing/],
  "OpenAI: too long": ["There was more to read than any-model takes at once.", /larger context/],
  "OpenAI: too many requests": [`${LOCAL} let in no more requests, after several tries.`, /max_rpm/],
  "OpenAI: wrong key": ["OpenAI rejected the key.", /OPENAI_API_KEY/],
  "OpenRouter: no credits": [
    "The account at the model's server (127.0.0.1:8000) has nothing left to spend.",
    /billing/,
  ],
  "no key": ["There is no key for OpenAI.", /OPENAI_API_KEY/],
  "nobody there": ["The model's server (127.0.0.1:9) can't be reached.", /Is it running\? .*OPENAI_BASE_URL/],
  "too slow": [`${LOCAL} took too long to answer.`, /timeout/],
  "crew: bad file": ["The crew can't be built.", /tasks\.yaml:7:3: .*missing\. Mend that/],
  "crew: hungry": ["The crew ran out of memory.", /SIDECAR_MAX_RUNS/],
  "crew: killed": ["The crew's process was killed.", /memory/],
  "crew: mistaken": ["the shop is closed", /^$/],
  "crew: slow": ["The crew took longer than it may, 5 s.", /SIDECAR_RUN_TIMEOUT/],
};

test("each recorded failure is explained, and no other", () => {
  expect(Object.keys(TITLES).sort()).toEqual(Object.keys(recorded).sort());
});

test.each(Object.entries(TITLES))("%s: what happened, what to do, and what was said", (name, [title, hint]) => {
  const error = recorded[name]!;
  const told = explain(error);
  expect(told.title).toBe(title);
  expect(told.hint ?? "").toMatch(hint);
  expect(told.details).toBe(error.details ?? error.message);
  expect(`${told.title} ${told.hint}`).not.toMatch(/[{}]/);
});

const refusals = Object.keys(TITLES).filter((name) => recorded[name]!.code === "error");

test.each(refusals)("%s: the same of its text alone, as a task's error has it, but for names", (name) => {
  const { message, model } = recorded[name]!;
  const told = explain({ code: "error", message }, { model: model ?? null });
  const verb = (text = "") => / (?:rejected|has|failed|let|took|can't|refused|doesn't|is|closed) .*/.exec(text)?.[0];
  expect(verb(told.title)).toBe(verb(TITLES[name]![0]));
});

const GATEWAYS = ["api.openai.com", "openrouter.ai", "my-company.openai.azure.com", "localhost:11434", "llm.example"];

test("whose server it was is known by its address", () => {
  const names = GATEWAYS.map((server) =>
    explain({ code: "error", message: "no", status: 401, server, provider: "openai" }),
  );
  expect(names.map(({ title }) => title)).toEqual([
    "OpenAI rejected the key.",
    "OpenRouter rejected the key.",
    "Azure rejected the key.",
    "Ollama rejected the key.",
    "The model's server (llm.example) rejected the key.",
  ]);
});

test("a task's error in the words of older sidecars is understood", () => {
  const message = `Error code: 401 - {'error': {'message': 'Incorrect API key provided: sk-*****6789. You can find your API key at https://platform.openai.com/account/api-keys.', 'type': 'invalid_request_error', 'code': 'invalid_api_key'}}`;
  expect(explain({ code: "error", message })).toEqual({
    title: "OpenAI rejected the key.",
    hint: "Check OPENAI_API_KEY in .env or the environment, start the sidecar again, then try again.",
    details: message,
  });
});

test("a certificate that nobody trusts is told with its remedy", () => {
  const message =
    "APIConnectionError: no answer from llm.example: [SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer";
  expect(explain({ code: "error", message }).hint).toMatch(/SSL_CERT_FILE/);
});

test("what nobody has a word for says its own", () => {
  expect(explain({ code: "error", message: "ValueError: no paper" })).toEqual({
    title: "no paper",
    details: "ValueError: no paper",
  });
  expect(explain({ code: "error", message: "" }).title).toBe("It failed without saying why.");
  expect(explain({ code: "error", message: `KeyError: ${"x".repeat(500)}` }).title).toHaveLength(240);
});

/** docs/PROTOCOL.md section 4, and what the client says by itself (errors.ts). */
const CODES = /`([a-z_]+)`/g;
test("every code of the sidecar's that a person can come upon has words", () => {
  const protocol = readFileSync(join(import.meta.dirname, "../../docs/PROTOCOL.md"), "utf8");
  const table = /\n\| code \| HTTP \|[^]*?\n\n/.exec(protocol)![0];
  const ofPrograms = ["unknown_command", "not_found", "method_not_allowed", "unsupported_media_type", "id_reused"];
  const codes = [...table.matchAll(CODES)].map(([, code]) => code!).filter((code) => !ofPrograms.includes(code));
  expect(codes.length).toBeGreaterThan(12);
  const told = [...codes, "unreachable", "lost", "closed", "busy"].map((code) => explain({ code, message: "MESSAGE" }));
  expect(told.filter(({ title, details }) => title === "MESSAGE" || details !== "MESSAGE")).toEqual([]);
});
