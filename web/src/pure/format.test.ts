import { expect, it } from "vitest";
import { sentence } from "./format";

it("makes a sentence of a server's message, once", () => {
  expect(["the model is full", "Done.", "really?", " ", ""].map(sentence)).toEqual([
    "The model is full.",
    "Done.",
    "Really?",
    "",
    "",
  ]);
});
