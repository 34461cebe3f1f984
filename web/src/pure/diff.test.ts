import { describe, expect, it } from "vitest";
import { differences, kept_words } from "./diff";

const marked = (text: string, ranges: { from: number; to: number }[]) =>
  ranges.map((r) => text.slice(r.from, r.to));

/** The slow, obvious longest common subsequence. */
function common_length(a: string[], b: string[]): number {
  const table = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      table[i]![j] =
        a[i] === b[j] ? table[i + 1]![j + 1]! + 1 : Math.max(table[i + 1]![j]!, table[i]![j + 1]!);
  return table[0]![0]!;
}

describe("differences", () => {
  it("marks the words that the other text has not", () => {
    const a = "The quick brown fox jumps.",
      b = "The slow brown fox leaps.";
    const [left, right] = differences(a, b);
    expect(marked(a, left)).toEqual(["quick", "jumps"]);
    expect(marked(b, right)).toEqual(["slow", "leaps"]);
  });
  it("joins a lone short word that long differences have in common", () => {
    const a = "alpha beta gamma it delta epsilon zeta",
      [left] = differences(a, "one two three it four five six");
    expect(marked(a, left)).toEqual([a]);
  });
  it("marks nothing between equal texts, everything against an empty one", () => {
    expect(differences("one two", "one  two")).toEqual([[], []]);
    expect(differences("one two", "")).toEqual([[{ from: 0, to: 7 }], []]);
  });
  it("keeps a longest common subsequence, in order, for random texts", () => {
    let seed = 7;
    const random = (n: number) => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return seed % n;
    };
    for (let round = 0; round < 300; round++) {
      const make = () => Array.from({ length: random(14) }, () => "abcd"[random(4)]!);
      const a = make(),
        b = make();
      const [keep_a, keep_b] = kept_words(a, b);
      const kept = a.filter((_, i) => keep_a[i]);
      expect(kept).toEqual(b.filter((_, i) => keep_b[i]));
      expect(kept.length).toBe(common_length(a, b));
    }
  });
  it("stays bounded on long texts that share nothing", () => {
    const a = Array.from({ length: 9000 }, (_, i) => "a" + i).join(" "),
      b = Array.from({ length: 9000 }, (_, i) => "b" + i).join(" ");
    expect(differences(a, b)[0].length).toBe(1);
  });
});
