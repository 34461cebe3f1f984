import { expect, it } from "vitest";
import {
  default_sampling,
  read_number,
  read_stops,
  restored_sampling,
  sampling_body,
  wrong_fields,
} from "./sampling";

it("an empty field is left to the server; what is typed is sent as a number", () => {
  expect(sampling_body({ ...default_sampling(), temperature: "" })).toEqual({});
  expect(
    sampling_body({
      ...default_sampling(),
      temperature: "0,5",
      seed: " 7 ",
      top_k: "-1",
      stop: "END\n\\n\\n",
    }),
  ).toEqual({ temperature: 0.5, seed: 7, top_k: -1, stop: ["END", "\n\n"] });
});
it("each field takes its range and nothing beside it", () => {
  for (const [field, good, bad] of [
    ["temperature", ["0", "2", "1.25", ".5"], ["2.01", "-0.1", "hot", "1e1", "Infinity", "0x1", "--1"]],
    ["top_p", ["0", "1"], ["1.1", "-1"]],
    ["top_k", ["-1", "0", "40"], ["1.5", "-2"]],
    ["min_p", ["0.05"], ["2"]],
    ["max_tokens", ["1"], ["0", "-1", "1.5"]],
    ["seed", ["0", "-1", "9007199254740991"], ["9007199254740993000", "1.5"]],
    ["repetition_penalty", ["0.01", "1.3"], ["0", "11"]],
    ["presence_penalty", ["-2", "−1", "2"], ["3"]],
  ] as const) {
    for (const typed of good)
      expect([field, typed, typeof read_number(field, typed)]).toEqual([field, typed, "number"]);
    for (const typed of bad) expect([field, typed, read_number(field, typed)]).toEqual([field, typed, null]);
  }
  expect(wrong_fields({ ...default_sampling(), top_p: "x", stop: "1\n2\n3\n4\n5" })).toEqual([
    "top_p",
    "stop",
  ]);
  expect(wrong_fields(default_sampling())).toEqual([]);
});
it("stop texts are lines; empty ones are none; a backslash can be meant", () => {
  expect(read_stops("a\n\nb c\n\\\\n")).toEqual(["a", "b c", "\\n"]);
});
it("what storage kept is taken field by field", () => {
  expect(restored_sampling({ top_p: "0.9", seed: 4, other: "x" })).toEqual({
    ...default_sampling(),
    top_p: "0.9",
  });
  for (const kept of [null, 3, "x", []]) expect(restored_sampling(kept)).toEqual(default_sampling());
});
