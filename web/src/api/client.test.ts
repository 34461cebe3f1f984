import { afterEach, expect, it, vi } from "vitest";
import { ApiError, ask } from "./client";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** A server that took the request and never says a word. */
const silent_server = () =>
  vi.stubGlobal(
    "fetch",
    (_: string, { signal }: RequestInit) =>
      new Promise((_resolve, reject) =>
        signal?.addEventListener("abort", () => reject(new DOMException("stopped", "AbortError"))),
      ),
  );

it("a request without an answer ends as away", async () => {
  vi.useFakeTimers();
  silent_server();
  const reply = ask("PUT", "/assignments/asn_1/annotation", { body: {} }).catch((e: unknown) => e);
  await vi.advanceTimersByTimeAsync(31_000);
  const error = await reply;
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ status: 0, code: "away" });
});

it("who stops a request hears that it was stopped, not that the server is away", async () => {
  silent_server();
  const stop = new AbortController();
  const reply = ask("GET", "/projects", { signal: stop.signal }).catch((e: unknown) => e);
  stop.abort();
  expect(await reply).toMatchObject({ name: "AbortError" });
});
