import { expect, it } from "vitest";
import { inline, percent_of, perplexity, rest_of, shade, visible } from "./token_view";

const token = (logprob: number) => ({ text: "x", logprob, top: [] });

it("perplexity is that of a fair die for a fair die, and none without tokens", () => {
  expect(perplexity([token(Math.log(1 / 6)), token(Math.log(1 / 6))])).toBeCloseTo(6, 10);
  expect(perplexity([token(0)])).toBe(1);
  expect(perplexity([])).toBeNull();
});
it("a surer token is never shaded more", () => {
  expect([1, 0.91, 0.89, 0.61, 0.31, 0.11, 0.03, 0.001].map((p) => shade(Math.log(p)))).toEqual([
    0, 0, 1, 1, 2, 3, 4, 5,
  ]);
  expect(shade(-9999)).toBe(5);
});
it("spaces, ends of lines and parts of characters can be seen", () => {
  expect(visible(" the")).toBe("␣the");
  expect(visible("a b")).toBe("a b");
  expect(visible("\n\n")).toBe("↵↵");
  expect(visible("bytes:\\xe2\\x80")).toBe("⟨e2 80⟩");
  expect(visible("bytes:none")).toBe("bytes:none");
  expect(visible("")).toBe("∅");
  expect(inline(" the")).toBe(" the");
  expect(inline("bytes:\\xe2")).toBe("⟨e2⟩");
});
it("says what the alternatives leave over", () => {
  expect(
    rest_of({
      ...token(0),
      top: [
        ["a", Math.log(0.5)],
        ["b", Math.log(0.3)],
      ],
    }),
  ).toBeCloseTo(0.2);
  expect(
    rest_of({
      ...token(0),
      top: [
        ["a", 0],
        ["b", 0],
      ],
    }),
  ).toBe(0);
});
it("writes probabilities with the figures that matter", () => {
  expect([0.99999, 0.424242, 0.0123, 1e-7].map((p) => percent_of(Math.log(p)))).toEqual([
    "100 %",
    "42.4 %",
    "1.23 %",
    "< 0.01 %",
  ]);
});
