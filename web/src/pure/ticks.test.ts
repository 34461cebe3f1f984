import { expect, test } from "vitest";
import { count_axis, log_axis, tick_text, value_axis } from "./ticks";

const texts = (axis: ReturnType<typeof value_axis>) => axis.ticks.map((v) => tick_text(v, axis));

test("marks are round numbers of one step, with the same digits", () => {
  expect(texts(value_axis(3.55, 4.25))).toEqual(["3.4", "3.6", "3.8", "4.0", "4.2", "4.4"]);
  expect(texts(value_axis(0, 1))).toEqual(["0.00", "0.25", "0.50", "0.75", "1.00"]);
  expect(texts(value_axis(0.03, 0.61))).toEqual(["0.0", "0.2", "0.4", "0.6", "0.8"]);
  expect(texts(value_axis(-40, 90))).toEqual(["−50", "0", "50", "100"]);
});
test("the axis holds all values", () => {
  for (const [low, high] of [
    [3.55, 4.25],
    [-0.7, 0.0001],
    [1e-7, 2e-4],
    [12345, 99999],
    [0.1, 0.3],
  ] as const) {
    const axis = value_axis(low, high);
    expect(axis.low).toBeLessThanOrEqual(low);
    expect(axis.high).toBeGreaterThanOrEqual(high);
    expect(axis.ticks.length).toBeGreaterThan(2);
    expect(axis.ticks.length).toBeLessThan(9);
    expect(new Set(texts(axis)).size).toBe(axis.ticks.length);
  }
});
test("one value alone stands in the middle", () => {
  const axis = value_axis(2, 2);
  expect(axis.low).toBeLessThan(2);
  expect(axis.high).toBeGreaterThan(2);
  expect(value_axis(0, 0).ticks).toContain(0);
});
test("small and large numbers are written in powers of ten", () => {
  expect(texts(value_axis(0, 2e-6)).at(-1)).toBe("2e−6");
  expect(texts(value_axis(0, 400_000)).at(1)).toBe("1e5");
});
test("steps are counted in whole numbers, and the ends stay where they are", () => {
  expect(count_axis(1, 14)).toMatchObject({ low: 1, high: 14, ticks: [2, 4, 6, 8, 10, 12, 14] });
  expect(count_axis(1, 3).ticks).toEqual([1, 2, 3]);
  expect(count_axis(0, 480).ticks).toEqual([0, 100, 200, 300, 400]);
  expect(count_axis(7, 7).ticks).toEqual([7]);
});
test("a log axis has powers of ten, or their parts when they are too few", () => {
  expect(log_axis(0.02, 300).ticks).toEqual([0.1, 1, 10, 100]);
  expect(log_axis(0.3, 4).ticks).toEqual([0.5, 1, 2]);
  expect(log_axis(2.1, 2.4).ticks.length).toBeGreaterThan(2);
  expect(log_axis(1e-12, 1).ticks.length).toBeLessThan(9);
});
