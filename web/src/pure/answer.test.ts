import { describe, expect, it } from "vitest";
import {
  clean_answer,
  is_instant,
  key_effect,
  missing_slots,
  slots_of,
  toggle_last_tie,
  with_value,
  type Schema,
  type TaskBody,
} from "./answer";

const task: TaskBody = {
  prompt: "p",
  responses: [
    { response_id: "r1", text: "one" },
    { response_id: "r2", text: "two" },
  ],
  messages: [
    { index: 0, role: "user", content: "q" },
    { index: 1, role: "assistant", content: "a" },
  ],
};
const schema = (...questions: Schema["questions"]): Schema => ({ version: 1, task_type: "x", questions });
const pairwise = schema({ name: "winner", kind: "comparison", title: "Better?" });

describe("pairwise", () => {
  const [slot] = slots_of(pairwise, task);
  it("takes letters, digits and arrows for the two answers", () => {
    for (const key of ["a", "1", "left"]) expect(key_effect(key, slot!, {}, task)?.value).toBe("r1");
    for (const key of ["b", "2", "right"]) expect(key_effect(key, slot!, {}, task)?.value).toBe("r2");
    expect(key_effect("t", slot!, {}, task)?.value).toBe("tie");
    expect(key_effect("n", slot!, {}, task)?.value).toBe("both_bad");
    expect(key_effect("x", slot!, {}, task)).toBeNull();
  });
  it("knows no tie where the schema has none", () => {
    const [strict] = slots_of(
      schema({ name: "winner", kind: "comparison", title: "", tie: false, both_bad: false }),
      task,
    );
    expect(key_effect("t", strict!, {}, task)).toBeNull();
    expect(key_effect("n", strict!, {}, task)).toBeNull();
  });
  it("is one key, unless a strength or a reason is asked", () => {
    expect(is_instant(pairwise, task)).toBe(true);
    expect(is_instant({ ...pairwise, rationale: "required" }, task)).toBe(false);
    expect(
      is_instant(
        schema({
          name: "winner",
          kind: "comparison",
          title: "",
          strength: { title: "How much?", labels: ["a", "b"] },
        }),
        task,
      ),
    ).toBe(false);
  });
  it("wants a strength only when one of them is better, and drops one that makes no sense", () => {
    const strong = schema({
      name: "winner",
      kind: "comparison",
      title: "",
      strength: { title: "How much?", labels: ["a", "b"], required: true },
    });
    expect(missing_slots(strong, task, { winner: "r1" }, "").length).toBe(1);
    expect(missing_slots(strong, task, { winner: "tie" }, "")).toEqual([]);
    expect(clean_answer(strong, task, { winner: "tie", winner_strength: 2 })).toEqual({ winner: "tie" });
  });
});

describe("ranking", () => {
  const order = schema({ name: "order", kind: "ranking", title: "" });
  const [slot] = slots_of(order, task);
  it("is filled by numbers in order; a number counts once", () => {
    const first = key_effect("2", slot!, {}, task)!;
    expect(first).toMatchObject({ value: [["r2"]], done: false });
    const answer = with_value({}, slot!, first.value);
    expect(key_effect("2", slot!, answer, task)).toBeNull();
    expect(key_effect("1", slot!, answer, task)).toMatchObject({ value: [["r2"], ["r1"]], done: true });
  });
  it("ties with = and takes one back with Backspace", () => {
    const both = { order: [["r2"], ["r1"]] };
    expect(key_effect("=", slot!, both, task)?.value).toEqual([["r2", "r1"]]);
    expect(toggle_last_tie([["r2", "r1"]])).toEqual([["r2"], ["r1"]]);
    expect(key_effect("backspace", slot!, { order: [["r2", "r1"]] }, task)?.value).toEqual([["r2"]]);
    expect(key_effect("=", slot!, { order: [["r2"]] }, task)).toBeNull();
  });
  it("is missing until every answer has its place", () => {
    expect(missing_slots(order, task, { order: [["r2"]] }, "").length).toBe(1);
    expect(missing_slots(order, task, { order: [["r2", "r1"]] }, "")).toEqual([]);
  });
});

describe("slots", () => {
  it("are one a response, a turn, an item", () => {
    const all = schema(
      { name: "clear", kind: "rating", title: "", of: "response" },
      { name: "turns", kind: "choice", title: "", of: "turn", options: [{ name: "good", title: "" }] },
      {
        name: "list",
        kind: "checklist",
        title: "",
        items: [
          { name: "x", title: "" },
          { name: "y", title: "" },
        ],
      },
    );
    expect(slots_of(all, task).map((s) => s.id)).toEqual([
      "clear:r1",
      "clear:r2",
      "turns:1",
      "list:x",
      "list:y",
    ]);
  });
  it("write answers in the form of docs/formats/task_schema.md", () => {
    const all = schema(
      { name: "clear", kind: "rating", title: "", of: "response" },
      { name: "turns", kind: "choice", title: "", of: "turn", options: [{ name: "good", title: "" }] },
      { name: "list", kind: "checklist", title: "", items: [{ name: "x", title: "" }] },
    );
    const [r1, r2, turn, x] = slots_of(all, task);
    let answer = {};
    for (const [slot, key] of [
      [r1, "4"],
      [r2, "2"],
      [turn, "1"],
      [x, "y"],
    ] as const)
      answer = with_value(answer, slot!, key_effect(key, slot!, answer, task)!.value);
    expect(answer).toEqual({ clear: { r1: 4, r2: 2 }, turns: { "1": "good" }, list: { x: true } });
    expect(with_value(answer, x!, undefined)).toEqual({ clear: { r1: 4, r2: 2 }, turns: { "1": "good" } });
  });
  it("say with [] that no flag applies, which is not the same as saying nothing", () => {
    const flags = schema({ name: "flags", kind: "flags", title: "", options: [{ name: "harm", title: "" }] });
    const [slot] = slots_of(flags, task);
    expect(missing_slots(flags, task, {}, "").length).toBe(1);
    expect(missing_slots(flags, task, { flags: [] }, "")).toEqual([]);
    expect(key_effect("1", slot!, { flags: [] }, task)?.value).toEqual(["harm"]);
    expect(key_effect("1", slot!, { flags: ["harm"] }, task)?.value).toEqual([]);
  });
  it("refuse numbers outside the scale", () => {
    const [slot] = slots_of(schema({ name: "n", kind: "rating", title: "", min: 2, max: 4 }), task);
    expect(key_effect("1", slot!, {}, task)).toBeNull();
    expect(key_effect("5", slot!, {}, task)).toBeNull();
    expect(key_effect("4", slot!, {}, task)?.value).toBe(4);
  });
  it("take blank text for no text", () => {
    const text = schema({ name: "w", kind: "text", title: "" });
    expect(missing_slots(text, task, { w: "  \n" }, "").length).toBe(1);
    expect(clean_answer(text, task, { w: " " })).toEqual({});
  });
});
