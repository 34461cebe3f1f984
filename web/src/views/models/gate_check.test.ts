import { expect, test } from "vitest";
import { t } from "../../messages";
import { gate_problem } from "./gate_check";

const good = {
  heldout: "snp_a",
  items_min: "30",
  second: "snp_b",
  second_metric: "likelihood_accuracy",
  floor: "0.6",
};
const text = (change: Partial<typeof good>) => gate_problem({ ...good, ...change })?.text;

test("a whole gate has no problem", () => {
  expect(gate_problem(good)).toBeNull();
  expect(text({ items_min: "0", floor: "1" })).toBeUndefined();
  expect(text({ second: "", floor: "nothing" })).toBeUndefined();
  expect(text({ second_metric: "likelihood_margin", floor: "-2.5" })).toBeUndefined();
});
test("what is missing or wrong is said of its field", () => {
  expect(gate_problem({ ...good, heldout: "" })).toEqual({ field: "heldout", text: t.models.choose_set });
  for (const items_min of ["many", "", "-1", "2.5"])
    expect(gate_problem({ ...good, items_min })).toMatchObject({
      field: "items_min",
      text: t.models.bad_items,
    });
  for (const floor of ["60", "-0.1", "", "half"]) expect(text({ floor })).toBe(t.models.bad_floor_share);
  expect(text({ second_metric: "likelihood_margin", floor: "high" })).toBe(t.models.bad_floor);
});
