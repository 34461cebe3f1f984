import { expect, test } from "vitest";
import { is_model_name, number_of } from "./entry";

test("a number is a number, and nothing else is one", () => {
  expect(number_of(" 0.5 ")).toBe(0.5);
  expect(number_of("0")).toBe(0);
  expect(number_of("-3")).toBe(-3);
  for (const text of ["", "  ", "many", "0,5", "1 000", "Infinity", "NaN"])
    expect(number_of(text)).toBeNull();
});
test("a name is what the registry takes", () => {
  for (const name of ["smol", "Smol-2.Q4_1", "team/assistant:v2", "a.", "x".repeat(100)])
    expect(is_model_name(name)).toBe(true);
  for (const name of ["", "two words", "ä", "..", "mdl_abc", "a?b", "x".repeat(101)])
    expect(is_model_name(name)).toBe(false);
});
