// A smoothed line over a whole run: exponential moving average, corrected for its start.
export function smooth(values: (number | null)[], keep = 0.9): (number | null)[] {
  let sum = 0,
    weight = 0;
  return values.map((v) => {
    if (v === null || !Number.isFinite(v)) return weight ? sum / weight : null;
    sum = keep * sum + (1 - keep) * v;
    weight = keep * weight + (1 - keep);
    return sum / weight;
  });
}

/** At most `most` points, spread over the whole: a long run is drawn whole, not its tail. */
export function thin<T>(rows: T[], most: number): T[] {
  if (rows.length <= most) return rows;
  return Array.from({ length: most }, (_, i) => rows[Math.round((i * (rows.length - 1)) / (most - 1))]!);
}
