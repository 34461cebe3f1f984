// A streamed answer over the network as it is: cut anywhere, refused, broken off, stopped.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { list_models, stream_chat, type ChatRequest } from "./chat";
import { ApiError, set_csrf_token } from "./client";

const request: ChatRequest = { model: "m", messages: [{ role: "user", content: "Hi" }] };
const event = (content: string, finish: string | null = null) =>
  `data: ${JSON.stringify({ id: "c", choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\r\n\r\n`;
const streamed = (bytes: Uint8Array[]) =>
  new Response(
    new ReadableStream({
      start(controller) {
        for (const piece of bytes) controller.enqueue(piece);
        controller.close();
      },
    }),
    { headers: { "Content-Type": "text/event-stream" } },
  );
const bytes_of = (text: string): Uint8Array[] =>
  [...new TextEncoder().encode(text)].map((b) => Uint8Array.of(b));
const read = async (signal = new AbortController().signal): Promise<string> => {
  let text = "";
  await stream_chat(request, signal, (chunk) => (text += chunk.text));
  return text;
};
const problem = async (): Promise<ApiError> =>
  read().then(
    () => expect.fail("no error"),
    (e: ApiError) => e,
  );

let answer: (url: string, init: RequestInit) => Promise<Response>;
beforeEach(() => {
  set_csrf_token("token");
  vi.stubGlobal("fetch", (url: string, init: RequestInit) => answer(url, init));
});
afterEach(() => vi.unstubAllGlobals());

describe("a streamed answer", () => {
  it("is read byte by byte, also within a character; it asks with the cookie, the token and for the usage", async () => {
    let asked: [string, RequestInit] | null = null;
    answer = async (url, init) => {
      asked = [url, init];
      return streamed(
        bytes_of(": hello\n\n" + event("né ") + event("€😀") + event("", "stop") + "data: [DONE]\n\n"),
      );
    };
    expect(await read()).toBe("né €😀");
    const [url, init] = asked!;
    expect([url, init.method, init.credentials]).toEqual(["/v1/chat/completions", "POST", "same-origin"]);
    expect((init.headers as Record<string, string>)["X-CSRF-Token"]).toBe("token");
    expect(JSON.parse(init.body as string)).toEqual({
      ...request,
      stream: true,
      stream_options: { include_usage: true },
    });
  });
  it("says what the server refused, in OpenAI's form, and when to come again", async () => {
    answer = async () =>
      new Response(
        '{"error":{"message":"32 wait.","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}',
        { status: 429, headers: { "Retry-After": "3" } },
      );
    expect(await problem()).toMatchObject({
      status: 429,
      code: "rate_limit_exceeded",
      message: "32 wait.",
      retry_after_ms: 3000,
    });
    for (const body of ["<html>", "null", '{"error":null}', '"x"']) {
      answer = async () => new Response(body, { status: 502 });
      expect(await problem()).toMatchObject({ status: 502, message: "The server answered 502." });
    }
  });
  it("that breaks in the middle is an error, whether the server says so or not", async () => {
    answer = async () =>
      streamed(bytes_of(event("half") + 'data: {"error":{"message":"Out.","code":"pages"}}\n\n'));
    expect(await problem()).toMatchObject({ code: "pages", message: "Out." });
    answer = async () => streamed(bytes_of(event("half")));
    expect(await problem()).toMatchObject({ status: 0, code: "cut_off" });
    answer = async () => streamed(bytes_of("data: {oops\n\n"));
    expect(await problem()).toMatchObject({ code: "bad_stream" });
    answer = () => Promise.reject(new TypeError("network"));
    expect(await problem()).toMatchObject({ status: 0, code: "away" });
  });
  it("of a server that leaves [DONE] out is whole all the same; nothing after [DONE] counts", async () => {
    answer = async () => streamed(bytes_of(event("all") + event("", "stop")));
    expect(await read()).toBe("all");
    answer = async () => streamed(bytes_of(event("all", "stop") + "data: [DONE]\n\n" + event(" more")));
    expect(await read()).toBe("all");
  });
  it("that is stopped lets go of the request", async () => {
    const stop = new AbortController();
    let seen: AbortSignal | null = null;
    answer = (_, init) =>
      new Promise((_resolve, reject) => {
        seen = init.signal!;
        init.signal!.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
      });
    const reading = read(stop.signal);
    stop.abort();
    await expect(reading).rejects.toThrow();
    expect(seen!.aborted).toBe(true);
  });
});

it("models are those with an id; a strange list is an empty one", async () => {
  answer = async (url) => {
    expect(url).toBe("/v1/models");
    return new Response('{"object":"list","data":[{"id":"a"},null,{"name":"b"}]}');
  };
  expect((await list_models()).map((m) => m.id)).toEqual(["a"]);
  answer = async () => new Response("<!doctype html><title>Hone</title>");
  await expect(list_models()).rejects.toMatchObject({ status: 404 });
  for (const body of ["{}", "[]", '{"data":5}']) {
    answer = async () => new Response(body);
    expect(await list_models()).toEqual([]);
  }
});
