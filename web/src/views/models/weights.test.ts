import { expect, test } from "vitest";
import { t } from "../../messages";
import { split_problem, targets_of, weight_field } from "./weights";

const models = (...texts: string[]) => texts.map((text, at) => ({ id: "mdl_" + at, name: "m" + at, text }));

test("two weights make a split, and what has none is no part of it", () => {
  const three = models("9", "1", "");
  expect(split_problem(three, false, "")).toBeNull();
  expect(targets_of(three)).toEqual([
    { model: "mdl_0", weight: 9 },
    { model: "mdl_1", weight: 1 },
  ]);
  expect(split_problem(models("0.5", "0", "0.5"), false, "")).toBeNull();
});
test("a weight that is none is named with its model, not dropped", () => {
  for (const wrong of ["-1", "abc", "1,5", "1000001"])
    expect(split_problem(models("1", "1", wrong), false, "")).toMatchObject({
      field: weight_field("mdl_2"),
      text: t.models.bad_weight("m2"),
    });
});
test("one is too few, nine are too many", () => {
  expect(split_problem(models("1", "", "0"), false, "")).toEqual({
    field: weight_field("mdl_1"),
    text: t.models.missing_two,
  });
  expect(split_problem(models(...Array<string>(9).fill("1")), false, "")?.text).toBe(
    t.models.too_many_targets(8),
  );
});
test("past a gate it wants a reason", () => {
  expect(split_problem(models("1", "1"), true, " ")).toEqual({
    field: "reason",
    text: t.models.missing_reason,
  });
  expect(split_problem(models("1", "1"), true, "an experiment")).toBeNull();
});
