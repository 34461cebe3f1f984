// One event of a streamed chat answer (OpenAI's chat.completion.chunk), read with suspicion: what has
// not the right form counts as absent, what is no JSON is a problem of the stream.

/** A token with its log-probability and the most likely ones in its place, the best first. */
export interface TokenInfo {
  text: string;
  logprob: number;
  top: [text: string, logprob: number][];
}
export interface Usage {
  prompt: number;
  completion: number;
  cached: number;
}
export type Settings = Record<string, number | string | boolean | string[]>;

export interface Chunk {
  kind: "chunk";
  id: string | null;
  model: string | null;
  fingerprint: string | null;
  text: string;
  tokens: TokenInfo[];
  finish: string | null;
  usage: Usage | null;
  settings: Settings | null;
  mac: string | null; // of a server that keeps no answers: with it feedback sends this one back
}
export interface StreamProblem {
  kind: "problem";
  code: string;
  message: string;
}
export type ChatEvent = Chunk | StreamProblem | { kind: "done" };

type Loose = Record<string, unknown>;
const object = (x: unknown): Loose => (typeof x === "object" && x !== null ? (x as Loose) : {});
const list = (x: unknown): unknown[] => (Array.isArray(x) ? x : []);
const text = (x: unknown): string | null => (typeof x === "string" ? x : null);
const number = (x: unknown): number => (typeof x === "number" && Number.isFinite(x) ? x : 0);

const kMostTop = 20;
const lowest = (x: unknown): number =>
  typeof x === "number" && !Number.isNaN(x) ? Math.min(0, Math.max(-9999, x)) : -9999;

function read_token(entry: unknown): TokenInfo {
  const e = object(entry);
  return {
    text: text(e.token) ?? "",
    logprob: lowest(e.logprob),
    top: list(e.top_logprobs)
      .slice(0, kMostTop)
      .map((one): [string, number] => [text(object(one).token) ?? "", lowest(object(one).logprob)])
      .sort((a, b) => b[1] - a[1]),
  };
}

function read_usage(x: unknown): Usage | null {
  if (typeof x !== "object" || x === null) return null;
  const u = object(x);
  return {
    prompt: number(u.prompt_tokens),
    completion: number(u.completion_tokens),
    cached: number(object(u.prompt_tokens_details).cached_tokens),
  };
}

function read_settings(x: unknown): Settings | null {
  if (typeof x !== "object" || x === null || Array.isArray(x)) return null;
  const known: Settings = {};
  for (const [name, value] of Object.entries(x).slice(0, 40)) {
    if (["number", "string", "boolean"].includes(typeof value)) known[name] = value as number;
    else if (Array.isArray(value) && value.every((v) => typeof v === "string")) known[name] = value;
  }
  return known;
}

/** `type` is the event's name: a server may send its error as an event of that name. */
export function read_event(data: string, type = "message"): ChatEvent {
  if (data.trim() === "[DONE]") return { kind: "done" };
  let parsed: unknown;
  try {
    parsed = JSON.parse(data);
  } catch {
    return { kind: "problem", code: "bad_stream", message: type === "error" && data ? data : "" };
  }
  const body = object(parsed);
  if (body.error !== undefined && body.error !== null) {
    const error = object(body.error);
    const message = text(body.error) ?? text(error.message) ?? "";
    return { kind: "problem", code: text(error.code) ?? text(error.type) ?? "server_error", message };
  }
  if (type === "error")
    return { kind: "problem", code: text(body.code) ?? "server_error", message: text(body.message) ?? "" };
  const choice = object(list(body.choices)[0]);
  return {
    kind: "chunk",
    id: text(body.id),
    model: text(body.model),
    fingerprint: text(body.system_fingerprint),
    text: text(object(choice.delta).content) ?? "",
    tokens: list(object(choice.logprobs).content).map(read_token),
    finish: text(choice.finish_reason),
    usage: read_usage(body.usage),
    settings: read_settings(body.settings),
    mac: text(choice.feedback_mac),
  };
}
