import type { Failure } from "crew-web-adapter";

/** A `Failure` of a run, a `CrewError`, or an event's `error` as `{ code: "error", message }`. */
export type Explained = Partial<Omit<Failure, "code">> & { readonly code: string; readonly message: string };

export interface Explanation {
  /** What happened, in a sentence. */
  readonly title: string;
  /** What to do about it. */
  readonly hint?: string;
  /** What was said, whole; lines as they were. */
  readonly details: string;
}

/** An error in words for a person. */
export function explain(error: Explained, { model }: { readonly model?: string | null } = {}): Explanation {
  const details = error.details ?? error.message;
  const own = OWN[error.code];
  if (own) return { ...own(error.message), details };
  const asked = { ...partsOf(error.message), ...error, details };
  const kind = KINDS.find(([, is]) => is(asked))?.[0];
  if (!kind) return { title: sentence(error.message), details };
  return { ...WORDS[kind](providerOf(asked, model), asked.model ?? model ?? null), details };
}

interface Asked extends Explained {
  readonly details: string;
}

/** What an error says in its text alone: `Error code: 401 - {…}`, `… (404 model_not_found, from host)`. */
function partsOf(message: string): { status?: number; reason?: string; server?: string } {
  const ours = /\((\d{3})?\s?([A-Za-z][\w.-]*)?(?:, from ([^\s)]+))?\)$/.exec(message);
  const status = ours?.[1] ?? /\b(?:Error code:|HTTP|status(?: code)?:?)\s*(\d{3})\b/i.exec(message)?.[1];
  const reason = ours?.[2] ?? /'(?:code|type|status)': '([A-Za-z]\w+)'/.exec(message)?.[1];
  const server = ours?.[3] ?? /no answer from ([^\s:]+(?::\d+)?)/.exec(message)?.[1];
  return { ...(status && { status: Number(status) }), ...(reason && { reason }), ...(server && { server }) };
}

interface Provider {
  readonly name: string;
  /** Where its key is. */
  readonly key: string | null;
}

const PROVIDERS: readonly (readonly [RegExp, Provider])[] = [
  [/openrouter/, { name: "OpenRouter", key: "OPENROUTER_API_KEY" }],
  [/^azure|\.azure\.|content management policy/, { name: "Azure", key: "AZURE_API_KEY" }],
  [/bedrock|amazonaws/, { name: "Amazon Bedrock", key: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" }],
  [/anthropic|^claude/, { name: "Anthropic", key: "ANTHROPIC_API_KEY" }],
  [/gemini|googleapis/, { name: "Gemini", key: "GEMINI_API_KEY" }],
  [/ollama|:11434$/, { name: "Ollama", key: null }],
  [/^openai|openai_api_key|api\.openai\.com|platform\.openai\.com|^gpt-/, { name: "OpenAI", key: "OPENAI_API_KEY" }],
];
const LOCAL = /^(?:localhost|127\.|\[::1\]|0\.0\.0\.0|host\.docker)/;

/** Whose server it was: by its address where that is known to be somebody's, else as CrewAI has it. */
function providerOf({ server, provider, message, details }: Asked, model?: string | null): Provider {
  const of = (text: string | null | undefined) => text && PROVIDERS.find(([is]) => is.test(text.toLowerCase()))?.[1];
  const known = of(server) || of(provider) || of(model) || of(`${message} ${details}`);
  // OpenAI's client asks whoever speaks its language.
  const other =
    server && !of(server) && (!known || known.name === "OpenAI") && !/api\.openai|platform\.openai/.test(details);
  if (other) return { name: `The model's server (${server})`, key: known ? "OPENAI_API_KEY" : null };
  return known || { name: provider ? provider[0]!.toUpperCase() + provider.slice(1) : "The provider", key: null };
}

type Kind = keyof typeof WORDS;

const says =
  (...patterns: readonly RegExp[]) =>
  ({ message, details, reason = "" }: Asked) =>
    patterns.some((pattern) => pattern.test(`${message}\n${reason}\n${details}`));
const isStatus =
  (...numbers: readonly number[]) =>
  ({ status }: Asked) =>
    status !== undefined && numbers.includes(status);

/** Which it is, the first that fits: providers give one status to several things. */
const KINDS: readonly (readonly [Kind, (asked: Asked) => boolean])[] = [
  [
    "keyless",
    says(
      /API_?KEY\b[^.]* (?:is required|must be set|not set|is missing|not found)/i,
      /Could not resolve authentication/i,
    ),
  ],
  ["spent", says(/insufficient_quota|exceeded your current quota|credit balance is too low|insufficient credits/i)],
  ["spent", isStatus(402)],
  [
    "long",
    says(
      /context.?length|maximum context|prompt is too long|input is too long|too many (?:input )?tokens|context window/i,
    ),
  ],
  ["filtered", says(/content.?filter|content management policy|usage polic|blocked by safety|\bSAFETY\b/)],
  ["certificate", says(/CERTIFICATE_VERIFY_FAILED|certificate verify failed|self.signed certificate/i)],
  ["slow", says(/APITimeoutError|timed out|ReadTimeout|Request timeout/i)],
  ["slow", isStatus(408, 504)],
  [
    "key",
    says(
      /invalid_api_key|Incorrect API key|API key not valid|API_KEY_INVALID|authentication_error|UnrecognizedClient|security token|subscription key|No auth credentials/i,
    ),
  ],
  ["key", isStatus(401)],
  [
    "unknown",
    says(/model_not_found|model\b.{0,80}(?:does not exist|not found)|is not found for API version|not_found_error/i),
  ],
  ["denied", isStatus(403)],
  ["denied", says(/PERMISSION_DENIED|AccessDenied/)],
  ["limited", says(/rate.?limit|too many requests|RESOURCE_EXHAUSTED|Throttling/i)],
  ["limited", isStatus(429)],
  ["overloaded", says(/overloaded/i)],
  ["overloaded", isStatus(503, 529)],
  [
    "unreachable",
    says(
      /no answer from|APIConnectionError|Connection (?:error|refused|reset)|ConnectError|getaddrinfo|Name or service not known|Could not connect/i,
    ),
  ],
  ["unknown", isStatus(404)],
  ["broken", ({ status = 0 }) => status >= 500],
  ["refused", ({ status }) => status !== undefined],
];

const WORDS = {
  keyless: ({ name, key }: Provider) => ({
    title: `There is no key for ${lower(name)}.`,
    hint: `Put ${key ?? "its key"} into .env or the environment, start the sidecar again, then try again.`,
  }),
  key: ({ name, key }: Provider) => ({
    title: `${name} rejected the key.`,
    hint: `Check ${key ?? "its key"} in .env or the environment, start the sidecar again, then try again.`,
  }),
  denied: ({ name }: Provider, model: string | null) => ({
    title: `${name} doesn't let this key use ${model ?? "the model"}.`,
    hint: "Ask for access to it there, or choose another model.",
  }),
  spent: ({ name }: Provider) => ({
    title: `The account at ${lower(name)} has nothing left to spend.`,
    hint: "Look at its plan and billing, then try again.",
  }),
  limited: ({ name }: Provider) => ({
    title: `${name} let in no more requests, after several tries.`,
    hint: "Wait a minute, then try again. An agent's max_rpm keeps below a limit.",
  }),
  unknown: ({ name }: Provider, model: string | null) => ({
    title: `${name} has no model ${model ?? "of this name"}.`,
    hint:
      name === "Ollama"
        ? `Get it with: ollama pull ${model ?? "NAME"}`
        : "Check the name of the model (the agent's llm, or …_MODEL in .env), and that the key may use it.",
  }),
  long: (_: Provider, model: string | null) => ({
    title: `There was more to read than ${model ?? "the model"} takes at once.`,
    hint: "Shorten the brief or what the tasks hand on, or choose a model with a larger context.",
  }),
  filtered: ({ name }: Provider) => ({
    title: `${name} refused to answer this, by its rules on content.`,
    hint: "Put the brief in other words, then try again.",
  }),
  slow: ({ name }: Provider) => ({
    title: `${name} took too long to answer.`,
    hint: "Try again. If it goes on, give the model a longer timeout.",
  }),
  overloaded: ({ name }: Provider) => ({ title: `${name} is overloaded.`, hint: "Try again in a minute." }),
  broken: ({ name }: Provider) => ({ title: `${name} failed on its own side.`, hint: "Try again in a minute." }),
  refused: ({ name }: Provider) => ({
    title: `${name} refused the request.`,
    hint: "The details have its reason.",
  }),
  unreachable: ({ name }: Provider) => ({
    title: `${name} can't be reached.`,
    hint:
      name === "Ollama"
        ? "Start it with: ollama serve"
        : LOCAL.test(/\((.*)\)$/.exec(name)?.[1] ?? "")
          ? "Is it running? Check its address, OPENAI_BASE_URL."
          : "Check the network and the model's address (…_BASE_URL), then try again.",
  }),
  certificate: ({ name }: Provider) => ({
    title: `The certificate of ${lower(name)} can't be trusted.`,
    hint: "Behind a proxy, set SSL_CERT_FILE to its certificate, and start the sidecar again.",
  }),
} satisfies Record<string, (provider: Provider, model: string | null) => Omit<Explanation, "details">>;

const lower = (name: string): string => name.replace(/^The /, "the ");

/** Of what has no explanation, its own words: without a Python class that says nothing more. */
const sentence = (message: string): string => {
  const [line = ""] = message.trim().split("\n");
  const text = line.replace(/^(?:[A-Za-z_.]*(?:Error|Exception)): (?=\S)/, "");
  return text.length > 240 ? `${text.slice(0, 239)}…` : text || "It failed without saying why.";
};

/** Codes of the sidecar's own and of its client's. */
const OWN: Readonly<Record<string, (message: string) => Omit<Explanation, "details">>> = {
  bad_crew: (message) => ({
    title: "The crew can't be built.",
    hint: `${message.trim().split("\n")[0]!} Mend that and try again; nothing needs a restart.`.replace(
      /([^.])( Mend)/,
      "$1.$2",
    ),
  }),
  crashed: (message) => ({
    title: /SIGKILL/.test(message) ? "The crew's process was killed." : "The crew's process ended by itself.",
    hint: /SIGKILL/.test(message)
      ? "Somebody ended it, or the system did, mostly for want of memory. Try again."
      : "The details say how. Try again; what it printed last may say more.",
  }),
  out_of_memory: (message) => ({
    title: "The crew ran out of memory.",
    hint: /MiB/.test(message)
      ? "Raise SIDECAR_MEMORY_MB, or let fewer runs work at once (SIDECAR_MAX_RUNS)."
      : "Close other programs, or let fewer runs work at once (SIDECAR_MAX_RUNS).",
  }),
  timeout: (message) => ({
    title: `The crew took longer than it may${/than ([\d.]+ s)/.test(message) ? `, ${/than ([\d.]+ s)/.exec(message)![1]!}` : ""}.`,
    hint: "Raise SIDECAR_RUN_TIMEOUT, or give it less to do.",
  }),
  unreachable: () => ({ title: "The sidecar can't be reached.", hint: "Start it, then try again." }),
  lost: () => ({ title: "The sidecar stopped answering.", hint: "Look whether it is still running, then try again." }),
  closed: () => ({ title: "This page has closed its connection.", hint: "Reload it." }),
  busy: () => ({ title: "Too many commands wait to be sent.", hint: "Wait until the sidecar is back." }),
  unauthorized: (message) => ({ title: "You aren't signed in.", hint: message }),
  forbidden: (message) => ({ title: "The sidecar doesn't let this page in.", hint: message }),
  at_capacity: (message) => ({ title: "The sidecar has as much to do as it takes.", hint: message }),
  rate_limited: () => ({ title: "That was too much at once.", hint: "Wait a moment, then try again." }),
  illegal_state: (message) => ({ title: "That isn't possible at the moment.", hint: message }),
  already_answered: () => ({ title: "Somebody else has answered already.", hint: "What they said is in the run." }),
  unknown_run: () => ({ title: "This run isn't there any more.", hint: "It was deleted, or the log is another one." }),
  unknown_thread: () => ({
    title: "This conversation isn't there any more.",
    hint: "It was deleted, or the log is another one.",
  }),
  unknown_crew: (message) => ({ title: "There is no such crew.", hint: message }),
  bad_request: (message) => ({ title: "The sidecar couldn't make sense of that.", hint: message }),
  too_large: (message) => ({ title: "That is too long.", hint: message }),
  unavailable: (message) => ({ title: "The sidecar can't store anything at the moment.", hint: message }),
  shutting_down: () => ({ title: "The sidecar is stopping.", hint: "Try again once it is back." }),
  internal: (message) => ({ title: "The sidecar made a mistake.", hint: message }),
};
