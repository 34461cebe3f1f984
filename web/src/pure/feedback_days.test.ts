import { expect, test } from "vitest";
import { days_of, models_of, share_of, type DayCounts } from "./feedback_days";

const row = (day: string, model: string, more: Partial<DayCounts>): DayCounts => ({
  day,
  model,
  up: 0,
  down: 0,
  won: 0,
  lost: 0,
  undecided: 0,
  edited: 0,
  reported: 0,
  ...more,
});
const rows = [
  row("2026-11-26", "tiny", { up: 3, down: 1 }),
  row("2026-11-28", "tiny", { up: 1, won: 2 }),
  row("2026-11-28", "big", { down: 2, lost: 2 }),
  row("2026-11-28", "", { up: 9 }),
];
const now_ms = Date.parse("2026-11-28T13:00:00Z");

test("days on which nobody said anything are there, and count nothing", () => {
  const days = days_of(rows, 3, now_ms, null);
  expect(days.map((d) => [d.day, d.up, d.down])).toEqual([
    ["2026-11-26", 3, 1],
    ["2026-11-27", 0, 0],
    ["2026-11-28", 10, 2],
  ]);
});
test("one model's days hold nothing of the others", () => {
  expect(days_of(rows, 1, now_ms, "big")[0]).toMatchObject({ up: 0, down: 2, lost: 2 });
  expect(days_of(rows, 1, now_ms, "")[0]).toMatchObject({ up: 9, down: 0 });
});
test("models are summed over the days; what has no name is last however much it is", () => {
  expect(models_of(rows).map((m) => [m.model, m.up, m.won])).toEqual([
    ["tiny", 4, 2],
    ["big", 0, 0],
    ["", 9, 0],
  ]);
});
test("a share has Wilson's interval, and nothing has none", () => {
  expect(share_of(0, 0)).toBeNull();
  const some = share_of(8, 10)!;
  expect(some.share).toBe(0.8);
  expect(some.interval[0]).toBeCloseTo(0.4902, 3);
  expect(some.interval[1]).toBeCloseTo(0.9433, 3);
  expect(share_of(3, 3)!.interval[1]).toBeCloseTo(1, 12);
});
