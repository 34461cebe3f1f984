import { expect, it } from "vitest";
import { smooth, thin } from "./smooth";

it("starts at the first value and follows the rest", () => {
  expect(smooth([4, 4, 4])[2]).toBeCloseTo(4);
  expect(smooth([4])[0]).toBeCloseTo(4);
  expect(smooth([0, 1], 0.5)[1]).toBeCloseTo(2 / 3);
  expect(smooth([null, 2, null])).toEqual([null, 2, 2]);
});
it("keeps the first and the last point", () => {
  const rows = Array.from({ length: 5000 }, (_, i) => i);
  const thinned = thin(rows, 400);
  expect([thinned.length, thinned[0], thinned[399]]).toEqual([400, 0, 4999]);
  expect(thin([1, 2], 400)).toEqual([1, 2]);
});
