import { expect, test } from "vitest";
import type { SamplingSource } from "../../api/types";
import { t } from "../../messages";
import { rule_problem } from "./rule_check";

const text = (change: Partial<typeof good>) => rule_problem({ ...good, ...change })?.text;
const good = {
  name: "reports",
  project_id: "prj_a",
  source: "reported" as SamplingSource,
  share: "12.5",
  cap: "50",
  wants_two: false,
};

test("a whole rule has no problem", () => {
  expect(rule_problem(good)).toBeNull();
  expect(rule_problem({ ...good, share: "100", cap: "100000" })).toBeNull();
});
test("what is missing or out of bounds is said in words", () => {
  expect(text({ name: "  " })).toBe(t.feedback.missing_name);
  expect(rule_problem({ ...good, cap: "0" })?.field).toBe("cap");
  expect(text({ project_id: "" })).toBe(t.feedback.missing_project);
  for (const share of ["0", "-1", "100.1", "", "a lot"]) expect(text({ share })).toBe(t.feedback.bad_share);
  for (const cap of ["0", "1.5", "100001", ""]) expect(text({ cap })).toBe(t.feedback.bad_cap);
});
test("a project that asks about two answers takes no single ones", () => {
  expect(text({ wants_two: true })).toBe(t.feedback.missing_source);
  expect(rule_problem({ ...good, wants_two: true, source: "edited" })).toBeNull();
});
