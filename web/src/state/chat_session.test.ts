import { beforeEach, describe, expect, it } from "vitest";
import { ApiError } from "../api/client";
import type { ChatRequest } from "../api/chat";
import type { Feedback, SignedAnswer } from "../api/feedback";
import type { Chunk } from "../pure/chat_stream";
import { ChatSession, rate_of } from "./chat_session";
import {
  default_chat_settings,
  load_chat_settings,
  save_chat_settings,
  type ChatSettings,
} from "./chat_settings";
import { MemoryChatStore } from "./chat_store";

const chunk = (more: Partial<Chunk>): Chunk => ({
  kind: "chunk",
  id: "chatcmpl-1",
  model: "m",
  fingerprint: "f",
  text: "",
  tokens: [],
  finish: null,
  usage: null,
  settings: null,
  mac: null,
  ...more,
});
interface Call {
  request: ChatRequest;
  signal: AbortSignal;
  on: (chunk: Chunk) => void;
  end: () => void;
  fail: (error: unknown) => void;
}
let calls: Call[],
  frames: (() => void)[],
  told: [Feedback, boolean][],
  sent_back: (SignedAnswer[] | undefined)[],
  refuse: unknown,
  now: number,
  left_first: boolean;
let store: MemoryChatStore, session: ChatSession;
const settings = (more: Partial<ChatSettings> = {}): ChatSettings => ({
  ...default_chat_settings(),
  model: "m",
  ...more,
});
const frame = () => {
  for (const f of frames.splice(0)) f();
};
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));
const make = () => {
  let serial = 0;
  return new ChatSession("me", {
    stream: (request, signal, on) =>
      new Promise((resolve, reject) =>
        calls.push({ request, signal, on, end: () => resolve(), fail: reject }),
      ),
    feedback: async (feedback, consent, answers) => {
      if (refuse) throw refuse;
      sent_back.push(answers);
      told.push([feedback, consent]);
    },
    store,
    now: () => now,
    frame: (f) => frames.push(f),
    id: () => `${++serial}`.padStart(3, "0"),
    lot: () => left_first,
    signed_out: () => undefined,
  });
};
beforeEach(async () => {
  [calls, frames, told, sent_back, refuse, now, left_first] = [[], [], [], [], null, 1000, true];
  store = new MemoryChatStore();
  session = make();
  await session.open(null);
});
const texts = () => session.view().turns.map((t) => t.option.map((n) => n.text).join(" | "));
const last = () => session.view().turns.at(-1)!.node;
const answer = async (text: string, at = calls.length - 1, id = "chatcmpl-1") => {
  calls[at]!.on(chunk({ id, text, finish: "stop" }));
  calls[at]!.end();
  await settle();
};

describe("an answer", () => {
  it("streams: many chunks, one change a frame; then the facts", async () => {
    let changes = 0;
    session.send("Hello", settings());
    session.subscribe(() => changes++);
    await settle();
    changes = 0;
    now = 1200;
    calls[0]!.on(chunk({ settings: { temperature: 0.7 } }));
    for (const text of "abcdefgh") calls[0]!.on(chunk({ text, tokens: [{ text, logprob: -1, top: [] }] }));
    expect([frames.length, changes]).toEqual([1, 0]);
    const question = session.view().turns[0]!.node;
    frame();
    expect([texts().at(-1), changes]).toEqual(["abcdefgh", 1]);
    expect(session.view().turns[0]!.node).toBe(question); // only what grows is new
    now = 2200;
    calls[0]!.on(chunk({ finish: "length" }));
    calls[0]!.on(chunk({ usage: { prompt: 9, completion: 8, cached: 0 } }));
    calls[0]!.end();
    await settle();
    expect(last().answer).toMatchObject({
      completion: "chatcmpl-1",
      finish: "length",
      first_token_ms: 200,
      total_ms: 1200,
      settings: { temperature: 0.7 },
      usage: { completion: 8 },
    });
    expect(last().answer!.tokens.length).toBe(8);
    expect(rate_of(last().answer!)).toBe(7);
    expect(session.view()).toMatchObject({ busy: false, said: { kind: "finished" } });
    expect(session.view().list[0]!.title).toBe("Hello");
  });
  it("asks with the settings, the system prompt and the path; empty fields are left out", async () => {
    session.set_system("Be brief.");
    session.send(
      "One",
      settings({ sampling: { ...default_chat_settings().sampling, top_k: "40", seed: "3" } }),
    );
    await answer("Two");
    session.send("Three", settings({ probabilities: false }));
    expect(calls[0]!.request).toEqual({
      model: "m",
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "One" },
      ],
      temperature: 0.7,
      top_k: 40,
      seed: 3,
      logprobs: true,
      top_logprobs: 5,
    });
    expect(calls[1]!.request.messages.map((m) => m.content)).toEqual(["Be brief.", "One", "Two", "Three"]);
    expect("logprobs" in calls[1]!.request).toBe(false);
  });
  it("is stopped: the request ends, what came stays, nothing comes after", async () => {
    session.send("Hello", settings());
    calls[0]!.on(chunk({ text: "half" }));
    session.stop();
    expect(calls[0]!.signal.aborted).toBe(true);
    calls[0]!.on(chunk({ text: " and more" }));
    frame();
    calls[0]!.fail(new Error("aborted"));
    await settle();
    expect(last()).toMatchObject({ text: "half", answer: { finish: "stopped", trouble: null } });
    expect(session.view()).toMatchObject({ busy: false, said: { kind: "stopped" } });
  });
  it("fails in the middle: the text stays, the reason is kept, another try stands beside it", async () => {
    session.send("Hello", settings());
    calls[0]!.on(chunk({ text: "half" }));
    calls[0]!.fail(new ApiError(500, "server_error", "Out of pages."));
    await settle();
    expect(last()).toMatchObject({
      text: "half",
      answer: { finish: "failed", trouble: { code: "server_error", message: "Out of pages." } },
    });
    session.regenerate(last(), settings());
    await answer("whole");
    expect(session.view().turns.at(-1)).toMatchObject({ at: 1, of: 2, node: { text: "whole" } });
  });
  it("that never began is replaced by the next try", async () => {
    session.send("Hello", settings());
    calls[0]!.fail(new ApiError(429, "busy", "Later.", undefined, 2000));
    await settle();
    expect(last().answer!.trouble).toMatchObject({ status: 429, retry_after_ms: 2000 });
    session.regenerate(last(), settings());
    await answer("whole");
    expect(session.view().turns.at(-1)).toMatchObject({ at: 0, of: 1, node: { text: "whole" } });
  });
});

describe("the tree", () => {
  it("an edited question is a branch; the first is a step away", async () => {
    session.send("Hello", settings());
    await answer("one");
    session.edit(session.view().turns[0]!.node, "Hello again", settings());
    expect(calls[1]!.request.messages.map((m) => m.content)).toEqual(["Hello again"]);
    await answer("two");
    expect(texts()).toEqual(["Hello again", "two"]);
    session.step(session.view().turns[0]!, -1);
    expect(texts()).toEqual(["Hello", "one"]);
  });
  it("nothing is sent while an answer comes, nor an empty text", async () => {
    expect(session.send("  ", settings())).toBe(false);
    session.send("Hello", settings());
    expect(session.send("More", settings())).toBe(false);
    expect(calls.length).toBe(1);
    await answer("x");
    expect(session.send("More", settings())).toBe(true);
  });
  it("is kept, opened again, renamed and removed", async () => {
    session.send("Hello", settings());
    await answer("one");
    const id = session.view().conversation.id;
    await session.open(null);
    expect(texts()).toEqual([]);
    await session.open(id);
    expect(texts()).toEqual(["Hello", "one"]);
    session.rename(id, " Mine ");
    await settle();
    expect(session.view().list).toMatchObject([{ id, title: "Mine" }]);
    await session.remove(id);
    expect([texts(), session.view().list]).toEqual([[], []]);
    await session.open(id);
    expect(session.view().phase).toBe("missing");
  });
  it("a corrected answer is a branch that goes on", async () => {
    session.send("2+2?", settings());
    await answer("5");
    await session.correct(last(), "4", true, true);
    expect(session.view().turns.at(-1)).toMatchObject({
      at: 1,
      of: 2,
      node: { text: "4", answer: { finish: "written" } },
    });
    expect(told).toEqual([[{ kind: "edit", completion: "chatcmpl-1", text: "4" }, true]]);
  });
});

describe("a comparison", () => {
  const both = settings({ compare: true, other: "n" });
  it("sends the same to both at once; the lot decides the sides", async () => {
    left_first = false;
    session.send("Hello", both);
    expect(calls.map((c) => c.request.model)).toEqual(["n", "m"]);
    expect(calls[0]!.request.messages).toEqual(calls[1]!.request.messages);
    expect(
      session
        .view()
        .turns.at(-1)!
        .option.map((n) => n.answer!.model),
    ).toEqual(["n", "m"]);
  });
  it("is voted on once both are there; the winner goes on; the vote is sent with the consent given", async () => {
    session.send("Hello", both);
    await answer("left", 0, "L");
    expect(session.vote("right", false)).toBe(false); // the other still writes
    await answer("right", 1, "R");
    expect(session.send("More", both)).toBe(false); // decide first
    expect(session.vote("right", false)).toBe(true);
    expect(told).toEqual([[{ kind: "comparison", completions: ["L", "R"], winner: "right" }, false]]);
    expect(session.vote("left", false)).toBe(false);
    session.send("More", settings());
    expect(calls[2]!.request.messages.map((m) => m.content)).toEqual(["Hello", "right", "More"]);
  });
  it("skipped shows the names and tells nobody", async () => {
    session.send("Hello", both);
    await answer("left", 0);
    await answer("right", 1);
    session.vote("skipped", true);
    expect([told, session.view().turns.at(-1)!.verdict]).toEqual([[], "skipped"]);
  });
  it("with one side failed takes no vote; another try replaces both", async () => {
    session.send("Hello", both);
    await answer("left", 0);
    calls[1]!.fail(new ApiError(503, "unavailable", "No."));
    await settle();
    expect(session.vote("left", false)).toBe(false);
    session.regenerate(last(), both);
    await answer("a", 2);
    await answer("b", 3);
    expect(session.view().turns.at(-1)).toMatchObject({ of: 1 });
    expect(session.vote("tie", false)).toBe(true);
  });
  it("is stopped on both sides", () => {
    session.send("Hello", both);
    session.stop();
    expect(calls.map((c) => c.signal.aborted)).toEqual([true, true]);
    expect(session.view().busy).toBe(false);
  });
});

describe("feedback", () => {
  it("a thumb is kept with the answer and sent", async () => {
    session.send("Hello", settings());
    await answer("one");
    await session.thumb(last(), 1, true);
    expect(last().answer!.thumb).toBe(1);
    expect(told).toEqual([[{ kind: "thumbs", completion: "chatcmpl-1", value: 1 }, true]]);
  });
  it("a server that takes none is remembered, and the thumb is not shown as given", async () => {
    session.send("Hello", settings());
    await answer("one");
    refuse = new ApiError(404, "not_found", "No such route.");
    await session.thumb(last(), -1, false);
    expect(session.view().takes_feedback).toBe(false);
    expect(last().answer!.thumb).toBeUndefined();
  });
  it("an answer that the server has no more is a failure of this one alone", async () => {
    const failures: unknown[] = [];
    session.on_failed((e) => failures.push(e));
    session.send("Hello", settings());
    await answer("one");
    refuse = new ApiError(404, "not_found", "There is no answer of this id here.", "completion");
    await session.thumb(last(), 1, false);
    expect([failures.length, last().answer!.thumb, session.view().takes_feedback]).toEqual([
      1,
      undefined,
      true,
    ]);
  });
  it("a failure is told, and the thumb taken back", async () => {
    const failures: unknown[] = [];
    session.on_failed((e) => failures.push(e));
    session.send("Hello", settings());
    await answer("one");
    refuse = new ApiError(0, "away", "Away.");
    await session.thumb(last(), 1, false);
    expect([failures.length, last().answer!.thumb, session.view().takes_feedback]).toEqual([
      1,
      undefined,
      true,
    ]);
    await expect(session.report(last(), "wrong", "", false)).rejects.toThrow("Away.");
  });
});

it("settings come back from storage, whatever it holds", () => {
  const kept = new Map<string, string>();
  const storage = {
    getItem: (k: string) => kept.get(k) ?? null,
    setItem: (k: string, v: string) => void kept.set(k, v),
  };
  const mine = settings({ consent: true, model: "x" });
  save_chat_settings("me", storage, mine);
  expect(load_chat_settings("me", storage)).toEqual(mine);
  expect(load_chat_settings("you", storage)).toEqual(default_chat_settings());
  for (const broken of ["{", "null", '{"consent":"yes","model":4,"sampling":7}']) {
    kept.set("hone.chat.me", broken);
    expect(load_chat_settings("me", storage)).toEqual(default_chat_settings());
  }
});

describe("a server that keeps no answers", () => {
  const one = async (mac: string | null) => {
    session.set_system("Be brief.");
    session.send("What is tea?", settings());
    const call = calls.at(-1)!;
    call.on(chunk({ settings: { temperature: 0.7, seed: 3 } }));
    call.on(chunk({ text: "A drink." }));
    call.on(chunk({ finish: "stop", mac }));
    call.end();
    await settle();
    return session.view().turns.at(-1)!.node;
  };
  it("is sent the answer back as it came, also when the system prompt is another by then", async () => {
    const node = await one("00ff");
    session.set_system("Be long.");
    await session.thumb(node, 1, true);
    expect(sent_back).toEqual([
      [
        {
          completion: "chatcmpl-1",
          model: "m",
          system_fingerprint: "f",
          settings: { temperature: 0.7, seed: 3 },
          messages: [
            { role: "system", content: "Be brief." },
            { role: "user", content: "What is tea?" },
          ],
          text: "A drink.",
          feedback_mac: "00ff",
        },
      ],
    ]);
  });
  it("refuses an answer without proof, and the page says why in words", async () => {
    const node = await one(null);
    refuse = new ApiError(400, "invalid_input", "send each back in answers", "answers");
    let said = "";
    session.on_failed((error) => (said = (error as Error).message));
    await session.thumb(node, -1, false);
    expect(said).toMatch(/keeps no answers/);
    expect(session.view().turns.at(-1)!.node.answer!.thumb).toBeUndefined();
  });
  it("is sent nothing back where it keeps them itself", async () => {
    await session.thumb(await one(null), 1, false);
    expect(sent_back).toEqual([undefined]);
  });
});
