// What is in metrics.jsonl, whatever the method: which numbers there are, which of them say most, and
// their curves ready to be drawn, of one run or of several over each other.
import { smooth, thin } from "./smooth";

export type Line = Record<string, number | string | null>;

/** Numbers that are not worth a curve: they only count. */
const kCounters = new Set(["step", "epoch", "num_tokens", "episode"]);
/** What people look at first, by what the name is about. The first that is there stands for its group. */
const kFirst: string[][] = [
  ["loss"],
  ["reward", "objective/rlhf_reward", "rewards/margins", "margin", "rewards/chosen", "rewards/mean"],
  ["kl", "objective/kl", "policy/approxkl_avg"],
  ["entropy", "objective/entropy", "policy/entropy_avg"],
  ["rewards/accuracies", "accuracy", "mean_token_accuracy"],
  ["eval_loss"],
];
const kAfter = [
  "reward_std",
  "frac_reward_zero_std",
  "completions/mean_length",
  "grad_norm",
  "learning_rate",
];

/** Names of the numbers in these lines, what says most first, the rest by name. */
export function metric_names(lines: Line[]): string[] {
  const found = new Set<string>();
  for (const line of lines)
    for (const [name, value] of Object.entries(line))
      if (typeof value === "number" && !kCounters.has(name) && !name.startsWith("eval_num_tokens"))
        found.add(name);
  const order = [...kFirst.flat(), ...kAfter];
  const rank = (name: string) => {
    const at = order.indexOf(name);
    return at >= 0 ? at : name.startsWith("grad_norm/") ? 2000 : name.startsWith("eval_") ? 1500 : 1000;
  };
  return [...found].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

/** Numbers from 0 to 1 that are read as so much of the whole. */
export const is_share = (name: string): boolean =>
  /(^|[/_])(accuracy|accuracies)([/_]|$)|(^|\/)frac_|clip_ratio/.test(name);

/** Those that are shown before anybody chooses: at most one of each group. */
export function first_metrics(names: string[]): string[] {
  const chosen = kFirst
    .map((group) => group.find((name) => names.includes(name)))
    .filter((n) => n !== undefined);
  return chosen.length ? chosen : names.slice(0, 2);
}

export interface RunLines {
  id: string;
  lines: Line[];
}
export interface Row {
  step: number;
  [column: string]: number | null;
}
export interface Curves {
  rows: Row[]; // columns: a run's id, and id + "·raw"
  ends: Record<string, { first: number; last: number } | undefined>; // of the smoothed curves
  dropped: number; // points that a log axis cannot show
}
export const raw_of = (id: string): string => id + "·raw";

const kMostPoints = 600;
/** keep: how much of the smoothed line is the past, 0 to below 1; log: what is not above 0 is left out. */
export function curves_of(runs: RunLines[], name: string, keep: number, log: boolean): Curves {
  const by_step = new Map<number, Row>();
  const ends: Curves["ends"] = {};
  let dropped = 0;
  for (const { id, lines } of runs) {
    const points = lines
      .map((l) => ({ step: Number(l.step), value: l[name] }))
      .filter(
        (p): p is { step: number; value: number } => typeof p.value === "number" && Number.isFinite(p.step),
      );
    const even = smooth(
      points.map((p) => p.value),
      keep,
    );
    const all = points.map((p, i) => ({ step: p.step, raw: p.value, even: even[i] ?? null }));
    if (all.length)
      ends[id] = { first: all[0]!.even ?? all[0]!.raw, last: all.at(-1)!.even ?? all.at(-1)!.raw };
    for (const point of thin(all, kMostPoints)) {
      const row = by_step.get(point.step) ?? { step: point.step };
      const fit = (v: number | null) => {
        if (v === null || (log && !(v > 0))) {
          if (v !== null) dropped++;
          return null;
        }
        return v;
      };
      row[id] = fit(point.even);
      row[raw_of(id)] = fit(point.raw);
      by_step.set(point.step, row);
    }
  }
  return { rows: [...by_step.values()].sort((a, b) => a.step - b.step), ends, dropped };
}

/** Settings of several runs beside each other: which are not the same in all. */
export function setting_rows(
  runs: { id: string; settings: Record<string, unknown> }[],
): { name: string; values: string[]; differs: boolean }[] {
  const names = [...new Set(runs.flatMap((r) => Object.keys(r.settings)))].sort();
  return names.map((name) => {
    const values = runs.map((r) => words_of_setting(r.settings[name]));
    return { name, values, differs: values.some((v) => v !== values[0]) };
  });
}
export function words_of_setting(value: unknown): string {
  if (value === undefined || value === null || value === "") return "–";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A setting's name as words: those of the form where it has one. */
export const setting_name = (name: string, known: Record<string, string>): string => {
  const words = name.replace(/_/g, " ");
  return known[name] ?? words.slice(0, 1).toUpperCase() + words.slice(1);
};

/** A number of a curve as people read it, whatever its size. */
export function short_number(v: number): string {
  if (!Number.isFinite(v)) return "–";
  const size = Math.abs(v);
  if (v === 0) return "0";
  if (size >= 1e5 || size < 1e-3) return v.toExponential(1).replace("e+", "e").replace(/-/g, "−");
  return v.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3).replace("-", "−");
}
