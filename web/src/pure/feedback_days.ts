// Counts of feedback by day and model, made ready for the charts.

/** Of one day and model; the model is empty where there was no consent. */
export interface DayCounts {
  day: string; // of UTC: 2026-11-28
  model: string;
  up: number;
  down: number;
  won: number;
  lost: number;
  undecided: number;
  edited: number;
  reported: number;
}
export type Totals = Omit<DayCounts, "day" | "model">;
const kNothing: Totals = { up: 0, down: 0, won: 0, lost: 0, undecided: 0, edited: 0, reported: 0 };
const kNames = Object.keys(kNothing) as (keyof Totals)[];
const kDayMs = 86_400_000;

function add(into: Totals, one: Totals): void {
  for (const name of kNames) into[name] += one[name];
}

/** Every day from the first to today, also those on which nobody said anything; `model` null = all. */
export function days_of(
  rows: DayCounts[],
  days: number,
  now_ms: number,
  model: string | null,
): (Totals & { day: string })[] {
  const by_day = new Map<string, Totals>();
  for (const row of rows) {
    if (model !== null && row.model !== model) continue;
    const sum = by_day.get(row.day) ?? { ...kNothing };
    add(sum, row);
    by_day.set(row.day, sum);
  }
  return Array.from({ length: days }, (_, at) => {
    const day = new Date(now_ms - (days - 1 - at) * kDayMs).toISOString().slice(0, 10);
    return { day, ...(by_day.get(day) ?? kNothing) };
  });
}

/** Sums of each model, most thumbs and votes first; those without a name last. */
export function models_of(rows: DayCounts[]): (Totals & { model: string })[] {
  const by_model = new Map<string, Totals>();
  for (const row of rows) {
    const sum = by_model.get(row.model) ?? { ...kNothing };
    add(sum, row);
    by_model.set(row.model, sum);
  }
  const weight = (one: Totals) => kNames.reduce((all, name) => all + one[name], 0);
  return [...by_model]
    .map(([model, sum]) => ({ model, ...sum }))
    .sort(
      (a, b) =>
        Number(a.model === "") - Number(b.model === "") ||
        weight(b) - weight(a) ||
        a.model.localeCompare(b.model),
    );
}

/** A share with its 95 % interval (Wilson's score); null of nothing. */
export function share_of(good: number, all: number): { share: number; interval: [number, number] } | null {
  if (all <= 0) return null;
  const z = 1.959963984540054,
    p = good / all,
    middle = p + (z * z) / (2 * all),
    half = z * Math.sqrt((p * (1 - p)) / all + (z * z) / (4 * all * all)),
    whole = 1 + (z * z) / all;
  return { share: p, interval: [Math.max(0, (middle - half) / whole), Math.min(1, (middle + half) / whole)] };
}
