// The sampling panel: what was typed, what may be sent. An empty field leaves it to the server.

export const kNumberFields = [
  "temperature",
  "top_p",
  "top_k",
  "min_p",
  "max_tokens",
  "seed",
  "repetition_penalty",
  "presence_penalty",
  "frequency_penalty",
] as const;
export type NumberField = (typeof kNumberFields)[number];
export type Sampling = Record<NumberField | "stop", string>;

interface Limits {
  from: number;
  to: number;
  whole?: true;
}
export const kLimits: Record<NumberField, Limits> = {
  temperature: { from: 0, to: 2 },
  top_p: { from: 0, to: 1 },
  top_k: { from: -1, to: 1_000_000, whole: true },
  min_p: { from: 0, to: 1 },
  max_tokens: { from: 1, to: 1_000_000, whole: true },
  seed: { from: -1, to: Number.MAX_SAFE_INTEGER, whole: true },
  repetition_penalty: { from: 0.01, to: 10 },
  presence_penalty: { from: -2, to: 2 },
  frequency_penalty: { from: -2, to: 2 },
};
export const kMostStops = 4;

export const default_sampling = (): Sampling => ({
  temperature: "0.7",
  top_p: "",
  top_k: "",
  min_p: "",
  max_tokens: "",
  seed: "",
  repetition_penalty: "",
  presence_penalty: "",
  frequency_penalty: "",
  stop: "",
});

/** The number, undefined for an empty field, null for what is no such number. */
export function read_number(field: NumberField, typed: string): number | undefined | null {
  const text = typed.trim().replace(",", ".").replace("−", "-");
  if (text === "") return undefined;
  const value = /^-?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : NaN;
  const { from, to, whole } = kLimits[field];
  return value >= from && value <= to && (!whole || Number.isInteger(value)) ? value : null;
}

/** One stop text a line; \n and \t stand for the signs themselves. */
export const read_stops = (typed: string): string[] =>
  typed
    .split("\n")
    .filter((line) => line !== "")
    .map((line) =>
      line.replace(/\\(n|t|\\)/g, (_, c: string) => (c === "n" ? "\n" : c === "t" ? "\t" : "\\")),
    );

export function wrong_fields(sampling: Sampling): (keyof Sampling)[] {
  const wrong: (keyof Sampling)[] = kNumberFields.filter((f) => read_number(f, sampling[f]) === null);
  if (read_stops(sampling.stop).length > kMostStops) wrong.push("stop");
  return wrong;
}

/** The fields of the request. Only for a panel without wrong fields. */
export function sampling_body(sampling: Sampling): Record<string, number | string[]> {
  const body: Record<string, number | string[]> = {};
  for (const field of kNumberFields) {
    const value = read_number(field, sampling[field]);
    if (typeof value === "number") body[field] = value;
  }
  const stops = read_stops(sampling.stop);
  if (stops.length) body.stop = stops;
  return body;
}

/** What storage kept, with the fields that it lacks or that are of another kind. */
export function restored_sampling(kept: unknown): Sampling {
  const sampling = default_sampling();
  if (typeof kept !== "object" || kept === null) return sampling;
  for (const field of Object.keys(sampling) as (keyof Sampling)[]) {
    const value = (kept as Record<string, unknown>)[field];
    if (typeof value === "string" && value.length < 2000) sampling[field] = value;
  }
  return sampling;
}
