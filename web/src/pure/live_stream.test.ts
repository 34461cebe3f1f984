import { describe, expect, it } from "vitest";
import { read_live_event } from "./live_stream";

describe("events of a live question", () => {
  it("are read by what they have", () => {
    expect(read_live_event('{"place":1,"text":"a"}')).toEqual({ kind: "text", place: 1, text: "a" });
    expect(read_live_event('{"place":0,"done":true}')).toEqual({ kind: "done", place: 0 });
    expect(read_live_event('{"assignment":{"assignment_id":"asn_a"}}')).toEqual({
      kind: "ready",
      assignment_id: "asn_a",
    });
    expect(read_live_event('{"error":{"message":"busy"}}')).toEqual({ kind: "problem", message: "busy" });
  });
  it("are nothing when they are no such event", () => {
    for (const data of [
      "",
      "{",
      "null",
      "[]",
      "1",
      '{"place":2,"text":"a"}',
      '{"place":0}',
      '{"assignment":{}}',
    ])
      expect(read_live_event(data)).toEqual({ kind: "other" });
  });
});
