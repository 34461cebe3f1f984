// What keys used, summed for a chart and a table.
export interface UsageRow {
  day: string;
  key_id: string;
  model: string;
  requests: number;
  prompt_tokens: number;
  cached_tokens: number;
  completion_tokens: number;
}

export interface UsageDay {
  day: string;
  prompt: number;
  completion: number;
  requests: number;
}

/** The last `count` days up to `today`, those without use too; the oldest first. */
export function by_day(rows: UsageRow[], today: string, count: number): UsageDay[] {
  const end = Date.parse(today + "T00:00:00Z");
  const days = Array.from({ length: count }, (_, i) => ({
    day: new Date(end - (count - 1 - i) * 86_400_000).toISOString().slice(0, 10),
    prompt: 0,
    completion: 0,
    requests: 0,
  }));
  const at = new Map(days.map((d) => [d.day, d]));
  for (const row of rows) {
    const day = at.get(row.day);
    if (!day) continue;
    day.prompt += row.prompt_tokens;
    day.completion += row.completion_tokens;
    day.requests += row.requests;
  }
  return days;
}

export interface UsageOf {
  key_id: string;
  model: string;
  requests: number;
  tokens: number;
  cached: number;
}

/** By key and model over all days; the most tokens first. */
export function by_key(rows: UsageRow[]): UsageOf[] {
  const sums = new Map<string, UsageOf>();
  for (const row of rows) {
    const id = row.key_id + "\n" + row.model;
    const sum = sums.get(id) ?? { key_id: row.key_id, model: row.model, requests: 0, tokens: 0, cached: 0 };
    sum.requests += row.requests;
    sum.tokens += row.prompt_tokens + row.completion_tokens;
    sum.cached += row.cached_tokens;
    sums.set(id, sum);
  }
  return [...sums.values()].sort((a, b) => b.tokens - a.tokens || (a.key_id < b.key_id ? -1 : 1));
}
