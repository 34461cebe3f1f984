// Models and streamed answers for the stand-in: OpenAI's routes with scripted texts, log-probabilities
// made up from the texts alone, and the bad days that a page must bear. What is asked decides:
// "code" a long program, "long" a long text, "fail" an error in the middle, "busy" 429, "too long" 400,
// "cut" a connection that ends, "slow" a slow start.
import { createHash } from "node:crypto";
import { new_id } from "./data.mjs";

const base = "SmolLM2-135M-Instruct";
export const make_serving = () => ({
  models: [
    { id: base, root: base, parent: null, digest: "5f".repeat(32), fingerprint: "a1b2c3d4", max_model_len: 2048 },
    { id: "helpful-v3", root: base, parent: base, digest: "7c".repeat(32), fingerprint: "c3d4e5f6", max_model_len: 2048 },
    { id: "assistant", root: base, parent: base, alias_of: "helpful-v3", digest: "7c".repeat(32), fingerprint: "c3d4e5f6", max_model_len: 2048 },
  ],
  rate: 120, // tokens a second
  takes_feedback: true,
  feedback: [],
});

const plain = `A **token** is the piece of text that a model reads and writes: often a word, sometimes a part of one.

Three things follow from that:

1. Long words cost more than short ones.
2. Spaces belong to the word *after* them.
3. Rare signs are split into bytes – é may be one token or two.

> The model never sees letters. It sees numbers that stand for tokens.

| text | tokens |
| --- | --- |
| \`hello\` | 1 |
| \`unbelievable\` | 3 |

Ask for the token view to see them.`;
const code = `Here is a small queue with a bound. It refuses instead of growing.

\`\`\`python
from collections import deque


class BoundedQueue:
    """A queue that says no when it is full, so that nobody waits in vain for work that never starts."""

    def __init__(self, most: int) -> None:
        if most < 1:
            raise ValueError("a queue holds at least one")
        self._items = deque()
        self._most = most

    def put(self, item) -> bool:
        # The caller decides what to do with a refusal.
        if len(self._items) >= self._most:
            return False
        self._items.append(item)
        return True

    def take(self):
        return self._items.popleft() if self._items else None


queue = BoundedQueue(2)
print([queue.put(n) for n in range(3)])  # [True, True, False]
\`\`\`

Run it with:

\`\`\`sh
python3 bounded_queue.py --with-a-rather-long-option=that-does-not-fit-on-a-narrow-screen --and-another=one
\`\`\`

It prints \`[True, True, False]\`: the third one is refused.`;
const paragraph = (n) =>
  `Paragraph ${n}. The river was slow in the morning and the boats lay still; by noon the wind had turned, and whoever wanted to leave had to row. ` +
  `Nobody minded. There was *time*, there was bread, and the story was only at its ${n}th turn.`;
const other = `A token is a chunk of text. Models predict one token after the other, each with a probability. You pay, and wait, by the token.`;

function text_for(prompt, model) {
  if (/code/i.test(prompt)) return model === base ? code : code.replace("small", "tiny").split("Run it with:")[0].trim();
  const size = /long (\d+)/i.exec(prompt);
  if (/\blong\b/i.test(prompt)) return Array.from({ length: Math.min(400, Number(size?.[1] ?? 12)) }, (_, i) => paragraph(i + 1)).join("\n\n");
  return model === base ? plain : other;
}
const pieces = (text) => text.match(/ ?[A-Za-z]{1,6}|[^A-Za-z]/gu) ?? [];
const chance = (text, at) => createHash("sha1").update(`${at}:${text}`).digest()[0] / 255;
const kOthers = [" the", " a", " some", ",", " every"];

function log_prob(piece, at, top) {
  const p = 0.02 + 0.98 * Math.sqrt(chance(piece, at));
  const entry = (token, q) => ({ token, logprob: Math.log(q), bytes: [...Buffer.from(token)] });
  const rest = kOthers.filter((o) => o !== piece).map((o, i) => entry(o, Math.max(1e-6, (1 - p) * 0.5 ** (i + 1))));
  return { ...entry(piece, p), top_logprobs: [entry(piece, p), ...rest].sort((a, b) => b.logprob - a.logprob).slice(0, top) };
}

const fail = (res, status, message, code, headers = {}) => {
  res.writeHead(status, { "Content-Type": "application/json", ...headers });
  res.end(JSON.stringify({ error: { message, type: status < 500 ? "invalid_request_error" : "server_error", param: null, code } }));
};
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function chat(res, serving, body) {
  const model = serving.models.find((m) => m.id === body.model);
  if (!model) return fail(res, 404, `There is no model '${body.model}' here.`, "model_not_found");
  const prompt = body.messages.findLast((m) => m.role === "user")?.content ?? "";
  const prompt_tokens = body.messages.reduce((n, m) => n + pieces(m.content).length + 5, 0);
  if (/too long/i.test(prompt)) return fail(res, 400, "The prompt has 2,310 tokens; the model reads 2,048.", "context_length_exceeded");
  if (/busy/i.test(prompt)) return fail(res, 429, "32 requests wait already.", "rate_limit_exceeded", { "Retry-After": "2" });
  res.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  const id = new_id("chatcmpl-");
  const send = (choices, more = {}) =>
    res.write(
      `data: ${JSON.stringify({ id, object: "chat.completion.chunk", created: Math.floor(Date.now() / 1000), model: model.id, system_fingerprint: model.fingerprint, choices, usage: null, ...more })}\n\n`,
    );
  const most = body.max_tokens ?? 1900;
  const settings = {
    temperature: body.temperature ?? 1,
    top_p: body.top_p ?? 1,
    top_k: Math.max(0, body.top_k ?? 0),
    min_p: body.min_p ?? 0,
    repetition_penalty: body.repetition_penalty ?? 1,
    presence_penalty: body.presence_penalty ?? 0,
    frequency_penalty: body.frequency_penalty ?? 0,
    seed: body.seed ?? 4711,
    max_tokens: most,
    min_tokens: 0,
  };
  send([{ index: 0, delta: { role: "assistant", content: "" }, logprobs: null, finish_reason: null }], { settings });
  await wait(/slow/i.test(prompt) ? 1500 : 40);
  const all = pieces(text_for(prompt, model.id));
  const tokens = all.slice(0, most);
  const begun = Date.now();
  for (let at = 0; at < tokens.length;) {
    const due = Math.min(tokens.length, Math.ceil(((Date.now() - begun) * serving.rate) / 1000) + 1);
    for (; at < due; at++) {
      if (/fail/i.test(prompt) && at === 60) {
        res.write(
          `data: ${JSON.stringify({ error: { message: "The model ran out of KV pages.", type: "server_error", param: null, code: "out_of_pages" } })}\n\n`,
        );
        return res.end();
      }
      if (/\bcut\b/i.test(prompt) && at === 40) return res.end();
      const logprobs = body.logprobs ? { content: [log_prob(tokens[at], at, body.top_logprobs ?? 0)] } : null;
      send([{ index: 0, delta: { content: tokens[at] }, logprobs, finish_reason: null }]);
    }
    if (res.destroyed) return undefined;
    if (at % 50 === 0) res.write(": keep-alive\n\n");
    await wait(8);
  }
  send([{ index: 0, delta: {}, logprobs: null, finish_reason: tokens.length < all.length ? "length" : "stop" }]);
  if (body.stream_options?.include_usage)
    send([], {
      usage: {
        prompt_tokens,
        completion_tokens: tokens.length,
        total_tokens: prompt_tokens + tokens.length,
        prompt_tokens_details: { cached_tokens: 0 },
      },
    });
  res.write("data: [DONE]\n\n");
  return res.end();
}

/** Requests below /v1, of somebody signed in. */
export async function serve(req, res, url, serving, signed_in) {
  if (!signed_in) return fail(res, 401, "Sign in first.", "invalid_api_key");
  if (!serving.models.length) return fail(res, 404, "There is no such route.", "not_found");
  if (req.method === "GET" && url.pathname === "/v1/models") {
    res.writeHead(200, { "Content-Type": "application/json" });
    return res.end(JSON.stringify({ object: "list", data: serving.models.map((m) => ({ object: "model", created: 0, owned_by: "hone", ...m })) }));
  }
  if (req.method === "POST" && url.pathname === "/v1/chat/completions") {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    if (req.headers["x-csrf-token"] !== "dev") return fail(res, 403, "The page is old. Load it again.", "forbidden");
    return chat(res, serving, JSON.parse(Buffer.concat(chunks).toString("utf8")));
  }
  return fail(res, 404, "There is no such route.", "not_found");
}
