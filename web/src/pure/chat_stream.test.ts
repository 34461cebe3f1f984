import { describe, expect, it } from "vitest";
import { read_event } from "./chat_stream";

describe("an event of a streamed answer", () => {
  it("is text, tokens, the end, the usage, the settings", () => {
    const event = read_event(
      JSON.stringify({
        id: "chatcmpl-1",
        model: "m",
        system_fingerprint: "f",
        choices: [
          {
            index: 0,
            delta: { content: "Hi" },
            logprobs: {
              content: [
                {
                  token: "Hi",
                  logprob: -0.1,
                  bytes: [72],
                  top_logprobs: [
                    { token: "Ho", logprob: -3 },
                    { token: "Hi", logprob: -0.1 },
                  ],
                },
              ],
            },
            finish_reason: null,
          },
        ],
        usage: null,
        settings: { temperature: 0.5, seed: 7, nested: {}, stop: ["x"] },
      }),
    );
    expect(event).toEqual({
      kind: "chunk",
      id: "chatcmpl-1",
      model: "m",
      fingerprint: "f",
      mac: null,
      text: "Hi",
      tokens: [
        {
          text: "Hi",
          logprob: -0.1,
          top: [
            ["Hi", -0.1],
            ["Ho", -3],
          ],
        },
      ],
      finish: null,
      usage: null,
      settings: { temperature: 0.5, seed: 7, stop: ["x"] },
    });
    expect(read_event('{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5}}')).toMatchObject({
      usage: { prompt: 3, completion: 5, cached: 0 },
    });
    expect(read_event(" [DONE] ")).toEqual({ kind: "done" });
  });
  it("is an error in the middle of the stream, in any of its forms", () => {
    expect(read_event('{"error":{"message":"out of memory","type":"server_error","code":null}}')).toEqual({
      kind: "problem",
      code: "server_error",
      message: "out of memory",
    });
    expect(read_event('{"error":"broken"}')).toMatchObject({ kind: "problem", message: "broken" });
    expect(read_event('{"message":"m","code":"c"}', "error")).toEqual({
      kind: "problem",
      code: "c",
      message: "m",
    });
    expect(read_event("<html>")).toMatchObject({ kind: "problem", code: "bad_stream" });
  });
  it("of a strange form breaks nothing", () => {
    for (const data of [
      "null",
      "3",
      "[]",
      "{}",
      '{"choices":{}}',
      '{"choices":[null]}',
      '{"choices":[{"delta":{"content":5},"logprobs":{"content":[null,{"token":4,"logprob":"x","top_logprobs":[7]}]}}]}',
      '{"usage":{"prompt_tokens":"many"},"settings":[1]}',
    ]) {
      const event = read_event(data);
      expect(event).toMatchObject({ kind: "chunk", text: "" });
    }
  });
  it("holds log-probabilities to the range that they have", () => {
    const event = read_event(
      '{"choices":[{"logprobs":{"content":[{"token":"a","logprob":0.5},{"token":"b","logprob":-1e300}]}}]}',
    );
    expect(event.kind === "chunk" && event.tokens.map((t) => t.logprob)).toEqual([0, -9999]);
  });
});
