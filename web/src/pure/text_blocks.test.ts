import { expect, it } from "vitest";
import { fenced, text_blocks } from "./text_blocks";

const shape = (text: string) => text_blocks(text).map((b) => `${b.kind}:${b.language}:${b.text}`);

it("paragraphs and fences are blocks", () => {
  expect(shape("One\ntwo.\n\nThree.\n\n```python\ndef f():\n\n    return 1\n```\nFour.")).toEqual([
    "prose::One\ntwo.",
    "prose::Three.",
    "code:python:def f():\n\n    return 1",
    "prose::Four.",
  ]);
});
it("a list stays together over empty lines and indented lines", () => {
  expect(shape("- a\n\n- b\n\n  more of b\n\nAfter.")).toEqual([
    "prose::- a\n\n- b\n\n  more of b",
    "prose::After.",
  ]);
  expect(shape("1. a\n\n2. b").length).toBe(1);
});
it("a fence that has not ended is code up to here; a longer fence holds a shorter one", () => {
  expect(shape("a\n```js\nlet x")).toEqual(["prose::a", "code:js:let x"]);
  expect(shape("````md\n```js\nx\n```\n````\nend")).toEqual(["code:md:```js\nx\n```", "prose::end"]);
  expect(shape("~~~\n```\n~~~")).toEqual(["code::```"]);
});
it("the blocks before the last do not change while the text grows", () => {
  const text =
    "# Head\n\nSome *text* here.\n\n1. one\n2. two\n\n```c\nint main() {\n\n}\n```\n\nThe end.\n\n> said\n\nlast";
  let before = text_blocks("");
  for (let at = 1; at <= text.length; at++) {
    const now = text_blocks(text.slice(0, at));
    for (let i = 0; i < before.length - 1; i++) expect(now[i]).toEqual(before[i]);
    before = now;
  }
});
it("code goes back into a fence that it cannot end", () => {
  const [block] = text_blocks(fenced({ kind: "code", language: "md", text: "```js\nx\n```" }));
  expect(block).toEqual({ kind: "code", language: "md", text: "```js\nx\n```" });
});
it("nothing is no block", () => {
  expect(text_blocks("")).toEqual([]);
  expect(text_blocks(" \n\n ")).toEqual([]);
});
