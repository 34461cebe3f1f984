import { expect, it } from "vitest";
import { code_tokens } from "./code_tokens";

it("never changes the text, whatever it is", () => {
  for (const code of [
    "def f(x):  # add\n  return 'a\\'b' + 1.5",
    "int main() { /* open",
    '"never closed',
    "SELECT * FROM t WHERE a = 'x'; -- end",
    "`${a}` // b",
    "",
    "\u{1F600} <b>",
  ]) {
    expect(
      code_tokens(code)
        .map((t) => t.text)
        .join(""),
    ).toBe(code);
  }
});
it("knows comments, strings, numbers and words of the language", () => {
  const kinds = code_tokens("return 'x' + 42; // why", "js")
    .filter((t) => t.kind !== "plain")
    .map((t) => t.kind + ":" + t.text);
  expect(kinds).toEqual(["keyword:return", "string:'x'", "number:42", "comment:// why"]);
});
