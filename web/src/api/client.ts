// The only way out of the page: every request of src/api goes through here. Errors are ApiError with
// the server's code; a server that cannot be reached is status 0, code "away".
import { EventParser, type StreamEvent } from "../pure/event_stream";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field?: string,
    readonly retry_after_ms?: number,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

let csrf_token = "";
export const set_csrf_token = (token: string): void => {
  csrf_token = token;
};

export interface RequestOptions {
  query?: Record<string, string | number | boolean | undefined | null>;
  body?: unknown;
  raw?: BodyInit;
  content_type?: string;
  idempotency_key?: string;
  if_match?: string;
  signal?: AbortSignal;
  keepalive?: boolean;
  root?: "/api/v1" | "/v1"; // Hone's own routes, or OpenAI's
}

// An answer that does not come holds back those behind it (the outbox sends one at a time): after so
// long the server counts as away, and the request is made again. Uploads take as long as they take.
const kTimeLimitMs = 30_000;

export interface Reply<T> {
  status: number;
  data: T;
  headers: Headers;
}

export function url_of(path: string, query?: RequestOptions["query"], root = "/api/v1"): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return root + path + (text ? "?" + text : "");
}

/** One request, with its status and headers. Throws ApiError. */
export async function ask<T>(method: string, path: string, options: RequestOptions = {}): Promise<Reply<T>> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrf_token;
  if (options.idempotency_key) headers["Idempotency-Key"] = options.idempotency_key;
  if (options.if_match) headers["If-Match"] = options.if_match;
  let body: BodyInit | undefined = options.raw;
  if (options.body !== undefined) {
    body = JSON.stringify(options.body);
    headers["Content-Type"] = "application/json";
  }
  if (options.content_type) headers["Content-Type"] = options.content_type;
  const stop = new AbortController();
  const give_up = () => stop.abort();
  options.signal?.addEventListener("abort", give_up);
  if (options.signal?.aborted) give_up();
  const timer = options.raw === undefined ? setTimeout(give_up, kTimeLimitMs) : undefined;
  try {
    const response = await fetch(url_of(path, options.query, options.root), {
      method,
      headers,
      credentials: "same-origin",
      signal: stop.signal,
      ...(body === undefined ? {} : { body }),
      ...(options.keepalive ? { keepalive: true } : {}),
    });
    if (!response.ok) throw await error_of(response);
    const text = response.status === 204 ? "" : await response.text();
    return {
      status: response.status,
      data: (text ? JSON.parse(text) : undefined) as T,
      headers: response.headers,
    };
  } catch (error) {
    if (error instanceof ApiError || error instanceof SyntaxError || options.signal?.aborted) throw error;
    throw new ApiError(0, "away", "The server cannot be reached.");
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", give_up);
  }
}

export async function call<T>(method: string, path: string, options?: RequestOptions): Promise<T> {
  return (await ask<T>(method, path, options)).data;
}

// Both forms: problem details of /api/v1, and OpenAI's {"error": {message, type, param, code}}.
async function error_of(response: Response): Promise<ApiError> {
  const after = Number(response.headers.get("Retry-After"));
  const retry = Number.isFinite(after) && after > 0 ? after * 1000 : undefined;
  interface Inner {
    message?: string;
    code?: string | null;
    type?: string;
    param?: string | null;
  }
  let problem: { code?: string; detail?: string; title?: string; field?: string; error?: Inner | null } = {};
  try {
    const read: unknown = JSON.parse(await response.text());
    if (typeof read === "object" && read !== null) problem = read;
  } catch {
    /* a proxy's page: the status says enough */
  }
  const inner = problem.error ?? undefined;
  return new ApiError(
    response.status,
    inner?.code ?? inner?.type ?? problem.code ?? "internal",
    inner?.message ?? problem.detail ?? problem.title ?? `The server answered ${response.status}.`,
    inner?.param ?? problem.field,
    retry,
  );
}

// A server at work says something now and then, if only a comment; one that is silent for so long is gone.
const kSilenceMs = 120_000;

/** A request whose answer is a stream of events, each handed on as it comes. Throws ApiError; resolves
 * when the server ends the stream. */
export async function stream_events(
  path: string,
  body: unknown,
  signal: AbortSignal,
  on: (event: StreamEvent) => void,
  root: "/api/v1" | "/v1" = "/v1",
): Promise<void> {
  const stop = new AbortController();
  const give_up = () => stop.abort();
  signal.addEventListener("abort", give_up);
  if (signal.aborted) give_up();
  let timer = setTimeout(give_up, kSilenceMs);
  try {
    const response = await fetch(url_of(path, undefined, root), {
      method: "POST",
      headers: {
        Accept: "text/event-stream",
        "Content-Type": "application/json",
        "X-CSRF-Token": csrf_token,
      },
      credentials: "same-origin",
      signal: stop.signal,
      body: JSON.stringify(body),
    });
    if (!response.ok) throw await error_of(response);
    const reader = response.body!.getReader();
    const decoder = new TextDecoder();
    const parser = new EventParser();
    for (;;) {
      const { done, value } = await reader.read();
      clearTimeout(timer);
      if (done) return;
      timer = setTimeout(give_up, kSilenceMs);
      for (const event of parser.push(decoder.decode(value, { stream: true }))) on(event);
    }
  } catch (error) {
    give_up(); // nothing more is read, so that the server stops too
    if (error instanceof ApiError || signal.aborted) throw error;
    throw error instanceof RangeError
      ? new ApiError(0, "bad_stream", error.message)
      : new ApiError(0, "away", "The server cannot be reached.");
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", give_up);
  }
}

/** The headers of a write, for the one request that is not made here. */
export const write_headers = (): [string, string][] => [["X-CSRF-Token", csrf_token]];
