import { describe, expect, it } from "vitest";
import { EventParser, kMostEventChars, type StreamEvent } from "./event_stream";

const read = (pieces: string[]): StreamEvent[] => {
  const parser = new EventParser();
  return pieces.flatMap((piece) => parser.push(piece));
};
const data = (pieces: string[]) => read(pieces).map((e) => e.data);

describe("server-sent events", () => {
  it("reads events, in whatever way lines end", () => {
    for (const end of ["\n", "\r\n", "\r"])
      expect(data([`data: {"a":1}${end}${end}data: [DONE]${end}${end}`])).toEqual(['{"a":1}', "[DONE]"]);
  });
  it("gives the same events wherever the text is cut", () => {
    const text =
      "\ufeff: hello\r\n\r\ndata: one\r\ndata:two\r\n\r\nevent: error\rdata: {}\r\r: ping\n\ndata\n\ndata: é\n\n";
    const whole = read([text]);
    expect(whole).toEqual([
      { type: "message", data: "one\ntwo" },
      { type: "error", data: "{}" },
      { type: "message", data: "" },
      { type: "message", data: "é" },
    ]);
    for (let at = 0; at <= text.length; at++)
      expect(read([text.slice(0, at), text.slice(at)])).toEqual(whole);
    expect(read([...text])).toEqual(whole);
    expect(read([...text].flatMap((c) => [c, ""]))).toEqual(whole);
  });
  it("comments and unknown fields are no events; nor is an event without its blank line", () => {
    expect(data([": keep-alive\n\n", "id: 4\nretry: 10\nfoo: bar\n\n", "data: cut off\n"])).toEqual([]);
  });
  it("takes one space after the colon away, and no more", () => {
    expect(data(["data:  two spaces\n\ndata:none\n\n"])).toEqual([" two spaces", "none"]);
  });
  it("an event without end is refused, in one line or in many", () => {
    expect(() => read(["data: " + "x".repeat(kMostEventChars + 1)])).toThrow(RangeError);
    const parser = new EventParser();
    expect(() => {
      for (let at = 0; at < 50; at++) parser.push("data: " + "x".repeat(100_000) + "\n");
    }).toThrow(RangeError);
  });
});
