import { expect, it } from "vitest";
import { by_day, by_key, type UsageRow } from "./usage";

const row = (day: string, key_id: string, model: string, tokens: number): UsageRow => ({
  day,
  key_id,
  model,
  requests: 1,
  prompt_tokens: tokens,
  cached_tokens: 1,
  completion_tokens: 10,
});

it("every day of the window is there, also over the end of a month; older rows are not", () => {
  const days = by_day([row("2026-03-01", "k", "m", 5), row("2026-01-01", "k", "m", 7)], "2026-03-02", 4);
  expect(days.map((d) => d.day)).toEqual(["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"]);
  expect(days.map((d) => d.prompt)).toEqual([0, 0, 5, 0]);
  expect(days[2]!.completion).toBe(10);
});

it("sums are by key and model, the largest first", () => {
  const sums = by_key([
    row("a", "k", "m", 5),
    row("b", "k", "m", 5),
    row("b", "j", "m", 100),
    row("b", "k", "n", 1),
  ]);
  expect(sums.map((s) => [s.key_id, s.model, s.tokens, s.requests])).toEqual([
    ["j", "m", 110, 1],
    ["k", "m", 30, 2],
    ["k", "n", 11, 1],
  ]);
});
