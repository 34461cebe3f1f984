import { beforeEach, describe, expect, it } from "vitest";
import { ApiError } from "../api/client";
import type { LiveEvent } from "../pure/live_stream";
import { LiveQuestion } from "./live_question";

let on: (event: LiveEvent) => void,
  finish: (error?: unknown) => void,
  signal: AbortSignal,
  asked: string[],
  ready: number,
  question: LiveQuestion;

beforeEach(() => {
  asked = [];
  ready = 0;
  question = new LiveQuestion(
    (prompt, given, handler) => {
      asked.push(prompt);
      signal = given;
      on = handler;
      return new Promise((resolve, reject) => {
        finish = (error) => (error === undefined ? resolve() : reject(error as Error));
      });
    },
    () => ready++,
  );
});
const settle = () => new Promise((resolve) => setTimeout(resolve));

describe("a live question", () => {
  it("gathers both answers by place and says once that the task is ready", async () => {
    question.ask("What is tea?");
    on({ kind: "text", place: 1, text: "A " });
    on({ kind: "text", place: 0, text: "Leaves" });
    on({ kind: "text", place: 1, text: "drink." });
    on({ kind: "done", place: 1 });
    expect(question.view()).toMatchObject({
      phase: "answering",
      texts: ["Leaves", "A drink."],
      done: [false, true],
    });
    on({ kind: "ready", assignment_id: "asn_a" });
    finish();
    await settle();
    expect([question.view().phase, ready]).toEqual(["ready", 1]);
  });
  it("an empty one, or a second beside the first, is not asked", () => {
    question.ask("  \n");
    question.ask("one");
    question.ask("two");
    expect(asked).toEqual(["one"]);
  });
  it("stopped by hand it can be changed and asked again", async () => {
    question.ask("one");
    question.stop();
    expect([signal.aborted, question.view().phase]).toEqual([true, "writing"]);
    finish(new DOMException("aborted"));
    on({ kind: "text", place: 0, text: "late" });
    await settle();
    expect(question.view()).toMatchObject({ phase: "writing", texts: ["", ""], error: null });
    question.ask("two");
    expect(asked).toEqual(["one", "two"]);
  });
  it("a problem, a refusal and a cut connection say why", async () => {
    question.ask("one");
    on({ kind: "problem", message: "the models are busy" });
    finish();
    await settle();
    expect(question.view()).toMatchObject({ phase: "writing", error: "the models are busy" });
    question.ask("two");
    finish(new ApiError(409, "conflict", "three wait for you"));
    await settle();
    expect(question.view().error).toBe("three wait for you");
    question.ask("three");
    on({ kind: "done", place: 0 });
    finish();
    await settle();
    expect(question.view().error).toMatch(/ended before/);
    expect(ready).toBe(0);
  });
});
