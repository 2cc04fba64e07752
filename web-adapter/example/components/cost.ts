import type { ModelPrices, Prices } from "crew-web-adapter";

/** What a model's call took, or several of one model. */
export interface Tokens {
  readonly prompt: number;
  readonly completion: number;
  /** Of the prompt's, those that the provider had in its cache. */
  readonly cached?: number;
}

const MILLION = 1_000_000;

/** What they cost, in `prices.currency`. null: the model isn't in the table, and nothing is guessed. */
export function costOf(model: string | null, tokens: Tokens, prices: Prices | null | undefined): number | null {
  const price = model === null ? undefined : priceOf(model, prices?.models ?? {});
  if (!price) return null;
  const { prompt, completion, cached = 0 } = tokens;
  const { input, output, cached: kept = input } = price;
  return ((prompt - cached) * input + cached * kept + completion * output) / MILLION;
}

/** What calls cost together. null where one of them has no price: a sum without it would be too small. */
export function costOfCalls(
  calls: Iterable<{ readonly model: string | null; readonly tokens: Tokens }>,
  prices: Prices | null | undefined,
): number | null {
  let sum: number | null = null;
  for (const { model, tokens } of calls) {
    const cost = costOf(model, tokens, prices);
    if (cost === null) return null;
    sum = (sum ?? 0) + cost;
  }
  return sum;
}

/** `openai/gpt-4o` is `gpt-4o` where only one of the two is in the table: CrewAI tells it in either way. */
function priceOf(model: string, models: Prices["models"]): ModelPrices | undefined {
  const own = (name: string) => (Object.hasOwn(models, name) ? models[name] : undefined);
  const bare = model.slice(model.indexOf("/") + 1);
  const [only, ...others] = Object.keys(models).filter((name) => name.slice(name.indexOf("/") + 1) === model);
  return own(model) ?? own(bare) ?? (only !== undefined && others.length === 0 ? own(only) : undefined);
}

/** Two digits behind the point, and below a cent as many as say something: `$0.0021`. What costs less is `<$0.0001`. */
export function money(amount: number, currency: string): string {
  const written = (value: number, digits: number) =>
    new Intl.NumberFormat("en", {
      style: "currency",
      currency,
      currencyDisplay: "narrowSymbol",
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    }).format(value);
  if (amount > 0 && amount < 0.0001) return `<${written(0.0001, 4)}`;
  return written(amount, amount > 0 && amount < 0.095 ? 4 : 2);
}
