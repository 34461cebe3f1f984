import { expect, it } from "vitest";
import { shares, targets_text } from "./targets";

const target = (model: string, weight: number) => ({ model, model_id: "mdl_" + model, digest: "", weight });
const percent = (share: number) => Math.round(share * 100) + " %";

it("shares are of the sum of the weights, and of nothing they are nothing", () => {
  expect(shares([target("a", 9), target("b", 1)])).toEqual([0.9, 0.1]);
  expect(shares([target("a", 0)])).toEqual([0]);
  expect(shares([])).toEqual([]);
});

it("one target is its name, several have their shares", () => {
  expect(targets_text([target("a", 3)], percent)).toBe("a");
  expect(targets_text([target("a", 3), target("b", 1)], percent)).toBe("a 75 %, b 25 %");
});
