import { describe, expect, it } from "vitest";
import {
  add_node,
  decide,
  export_lines,
  is_open_pair,
  messages_to,
  new_conversation,
  node_of,
  put_node,
  settled,
  switch_branch,
  title_of,
  turns,
  type Answer,
  type Conversation,
  type Side,
} from "./conversation";

const answer = (more: Partial<Answer> = {}): Answer => ({
  model: "m",
  completion: "c",
  fingerprint: null,
  finish: "stop",
  usage: null,
  settings: null,
  first_token_ms: null,
  total_ms: null,
  tokens: [],
  trouble: null,
  pair: null,
  ...more,
});
const said = (c: Conversation, id: string, parent: string | null, text = id) =>
  add_node(c, { id, parent, text, at_ms: 1, answer: null });
const answered = (c: Conversation, id: string, parent: string, more: Partial<Answer> = {}, text = id) =>
  add_node(c, { id, parent, text, at_ms: 2, answer: answer(more) });
const of_pair = (c: Conversation, id: string, parent: string, side: Side) =>
  answered(c, id, parent, { pair: { id: "p", side }, model: "model " + id });
const ids = (c: Conversation) =>
  turns(c).map((t) => `${t.option.map((n) => n.id).join("+")} ${t.at + 1}/${t.of}`);

const start = new_conversation("c", "me", 0);
const simple = answered(said(start, "q1", null), "a1", "q1");

describe("branches", () => {
  it("an edited question and another answer stand beside the old ones", () => {
    let c = answered(simple, "a2", "q1");
    expect(ids(c)).toEqual(["q1 1/1", "a2 2/2"]);
    c = answered(said(c, "q1b", null), "a3", "q1b");
    expect(ids(c)).toEqual(["q1b 2/2", "a3 1/1"]);
    c = switch_branch(c, turns(c)[0]!, -1);
    expect(ids(c)).toEqual(["q1 1/2", "a2 2/2"]);
    c = switch_branch(c, turns(c)[1]!, -1);
    expect(ids(c)).toEqual(["q1 1/2", "a1 1/2"]);
    expect(switch_branch(c, turns(c)[1]!, -1)).toBe(c); // nothing before the first
  });
  it("the model reads the branch that is shown, and no other", () => {
    const c = { ...said(answered(simple, "a2", "q1"), "q2", "a2"), system: "Be brief." };
    expect(messages_to(c, "q2").map((m) => m.role + ":" + m.content)).toEqual([
      "system:Be brief.",
      "user:q1",
      "assistant:a2",
      "user:q2",
    ]);
  });
  it("an answer that never came is not sent back", () => {
    const c = said(answered(said(start, "q1", null), "a1", "q1", { finish: "failed" }, ""), "q2", "a1");
    expect(messages_to(c, "q2").map((m) => m.content)).toEqual(["q1", "q2"]);
  });
});

describe("comparisons", () => {
  // The right one was added first: the side decides, not the order of arrival.
  const open = of_pair(of_pair(said(start, "q1", null), "r", "q1", "right"), "l", "q1", "left");
  it("two answers are one turn, left is left, and the path ends there until somebody decides", () => {
    expect(ids(open)).toEqual(["q1 1/1", "l+r 1/1"]);
    expect(is_open_pair(turns(open)[1]!)).toBe(true);
  });
  it("the better one goes on", () => {
    let c = decide(open, turns(open)[1]!, "right");
    expect(turns(c)[1]).toMatchObject({ verdict: "right", node: { id: "r" } });
    c = said(c, "q2", turns(c)[1]!.node.id);
    expect(messages_to(c, "q2").map((m) => m.content)).toEqual(["q1", "r", "q2"]);
    expect(turns(decide(open, turns(open)[1]!, "tie"))[1]!.node.id).toBe("l");
    expect(decide(c, turns(c)[0]!, "left")).toBe(c); // a question is no comparison
  });
  it("are one branch beside a single answer", () => {
    expect(ids(answered(open, "a", "q1"))).toEqual(["q1 1/1", "a 2/2"]);
  });
  it("are exported with both texts and the verdict, and not while they are open", () => {
    const line = JSON.parse(export_lines([decide(open, turns(open)[1]!, "right")])) as Record<
      string,
      unknown
    >;
    expect(line).toMatchObject({
      messages: [
        { role: "user", content: "q1" },
        { role: "assistant", content: "r" },
      ],
      comparisons: [
        {
          messages: [{ role: "user", content: "q1" }],
          left: { model: "model l", text: "l" },
          right: { model: "model r", text: "r" },
          winner: "right",
        },
      ],
    });
    expect(JSON.parse(export_lines([open]))).toMatchObject({ messages: [{ content: "q1" }], answers: [] });
    expect(export_lines([open])).not.toContain("model l");
  });
});

it("exports a line for each conversation", () => {
  const lines = export_lines([simple, start]).trimEnd().split("\n");
  expect(lines.length).toBe(2);
  expect(JSON.parse(lines[0]!)).toMatchObject({
    title: "q1",
    messages: [
      { role: "user", content: "q1" },
      { role: "assistant", content: "a1" },
    ],
    answers: [{ completion: "c", model: "m" }],
  });
});
it("the first question names the conversation, once", () => {
  expect(said(simple, "q2", "a1").title).toBe("q1");
  expect(title_of("  a\n b")).toBe("a");
  expect(title_of("x".repeat(100)).length).toBe(60);
  expect(said({ ...start, title: "Mine", named: true }, "q", null).title).toBe("Mine");
});
it("an answer in the middle of which the page was closed was stopped", () => {
  const c = answered(said(start, "q1", null), "a1", "q1", { finish: null }, "half");
  expect(node_of(settled(c), "a1")!.answer!.finish).toBe("stopped");
  expect(settled(simple)).toBe(simple);
});
it("a changed node leaves the others the same objects", () => {
  const c = put_node(simple, { ...simple.nodes[1]!, text: "more" });
  expect(c.nodes[0]).toBe(simple.nodes[0]);
  expect(simple.nodes[1]!.text).toBe("a1");
});
