import { expect, test } from "vitest";
import { t } from "../../messages";
import { rule_problem } from "./rule_check";

const good = {
  name: "reports",
  project_id: "prj_a",
  source: "reported" as const,
  share: "12.5",
  cap: "50",
  wants_two: false,
};

test("a whole rule has no problem", () => {
  expect(rule_problem(good)).toBeNull();
  expect(rule_problem({ ...good, share: "100", cap: "100000" })).toBeNull();
});
test("what is missing or out of bounds is said in words", () => {
  expect(rule_problem({ ...good, name: "  " })).toBe(t.feedback.missing_name);
  expect(rule_problem({ ...good, project_id: "" })).toBe(t.feedback.missing_project);
  for (const share of ["0", "-1", "100.1", "", "a lot"])
    expect(rule_problem({ ...good, share })).toBe(t.feedback.bad_share);
  for (const cap of ["0", "1.5", "100001", ""])
    expect(rule_problem({ ...good, cap })).toBe(t.feedback.bad_cap);
});
test("a project that asks about two answers takes no single ones", () => {
  expect(rule_problem({ ...good, wants_two: true })).toBe(t.feedback.pair_hint);
  expect(rule_problem({ ...good, wants_two: true, source: "edited" })).toBeNull();
});
