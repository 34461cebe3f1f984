// A conversation as a tree: an edited question or another answer is a branch beside the old one, and
// nothing is lost. Functions make a new conversation and leave the old one as it was.
import type { Settings, TokenInfo, Usage } from "./chat_stream";

export type Side = "left" | "right";
export type Verdict = Side | "tie" | "both_bad" | "skipped";

/** Why an answer is not whole: the server's code and its sentence. */
export interface Trouble {
  status: number;
  code: string;
  message: string;
  retry_after_ms?: number;
}
/** What feedback sends back where the server keeps no answers: the answer as it came, with its proof. */
export interface Signed {
  model: string;
  messages: Message[];
  feedback_mac: string;
}
export interface Answer {
  model: string;
  completion: string | null; // the server's id of it
  fingerprint: string | null;
  finish: "stop" | "length" | "stopped" | "failed" | "written" | null; // null: still coming
  usage: Usage | null;
  settings: Settings | null;
  first_token_ms: number | null; // after the request
  total_ms: number | null;
  tokens: TokenInfo[];
  trouble: Trouble | null;
  pair: { id: string; side: Side } | null;
  signed?: Signed | undefined;
  thumb?: 1 | -1 | undefined;
  reported?: boolean;
}
export interface ChatNode {
  id: string;
  parent: string | null;
  text: string;
  at_ms: number;
  answer: Answer | null; // null: the person's
}
export interface Conversation {
  id: string;
  owner: string;
  title: string;
  named: boolean; // by the person
  created_ms: number;
  updated_ms: number;
  system: string;
  nodes: ChatNode[]; // parents before children
  chosen: Record<string, string>; // parent ("" for the beginning) → child
  verdicts: Record<string, Verdict>; // pair → what was said
}

/** What can stand at one place: one node, or the two answers of a comparison. */
export type Option = [ChatNode] | [ChatNode, ChatNode];
export interface Turn {
  option: Option;
  node: ChatNode; // the one that the conversation goes on from
  at: number;
  of: number;
  verdict: Verdict | null;
}

export const kMostNodes = 1000;
export const kMostMessageChars = 100_000;
const key_of = (parent: string | null) => parent ?? "";

export const new_conversation = (id: string, owner: string, now_ms: number): Conversation => ({
  id,
  owner,
  title: "",
  named: false,
  created_ms: now_ms,
  updated_ms: now_ms,
  system: "",
  nodes: [],
  chosen: {},
  verdicts: {},
});

export function title_of(text: string): string {
  const line = text.trim().split("\n")[0]!.replace(/\s+/g, " ").trim();
  return line.length > 60 ? line.slice(0, 59).trimEnd() + "…" : line;
}

export function add_node(c: Conversation, node: ChatNode): Conversation {
  const title = c.title === "" && !c.named && !node.answer ? title_of(node.text) : c.title;
  return {
    ...c,
    title,
    updated_ms: Math.max(c.updated_ms, node.at_ms),
    nodes: [...c.nodes, node],
    chosen: { ...c.chosen, [key_of(node.parent)]: node.id },
  };
}

/** With another node in the place of the one with its id. */
export const put_node = (c: Conversation, node: ChatNode): Conversation => ({
  ...c,
  nodes: c.nodes.map((n) => (n.id === node.id ? node : n)),
});

export const node_of = (c: Conversation, id: string): ChatNode | undefined =>
  c.nodes.find((n) => n.id === id);

function group(kids: ChatNode[]): Option[] {
  const options: Option[] = [];
  const begun = new Map<string, number>();
  for (const kid of kids) {
    const pair = kid.answer?.pair?.id;
    const at = pair === undefined ? undefined : begun.get(pair);
    if (at !== undefined) {
      const other = options[at]![0];
      options[at] = kid.answer!.pair!.side === "left" ? [kid, other] : [other, kid];
    } else {
      if (pair !== undefined) begun.set(pair, options.length);
      options.push([kid]);
    }
  }
  return options;
}

export const is_open_pair = (turn: Turn): boolean => turn.option.length === 2 && turn.verdict === null;

/** The conversation along the chosen branches. It ends at a comparison that nobody has decided. */
export function turns(c: Conversation): Turn[] {
  const kids = new Map<string, ChatNode[]>();
  for (const node of c.nodes) {
    const list = kids.get(key_of(node.parent));
    if (list) list.push(node);
    else kids.set(key_of(node.parent), [node]);
  }
  const path: Turn[] = [];
  let parent = "";
  for (;;) {
    const options = group(kids.get(parent) ?? []);
    if (options.length === 0) return path;
    const wanted = c.chosen[parent];
    const found = options.findIndex((o) => o.some((n) => n.id === wanted));
    const at = found < 0 ? options.length - 1 : found;
    const option = options[at]!;
    const node = option.find((n) => n.id === wanted) ?? option[0];
    const verdict = option.length === 2 ? (c.verdicts[node.answer!.pair!.id] ?? null) : null;
    const turn: Turn = { option, node, at, of: options.length, verdict };
    path.push(turn);
    if (is_open_pair(turn)) return path;
    parent = node.id;
  }
}

/** The branch `step` places further at the turn of this node. */
export function switch_branch(c: Conversation, turn: Turn, step: number): Conversation {
  const options = group(c.nodes.filter((n) => n.parent === turn.node.parent));
  const next = options[turn.at + step];
  return next ? { ...c, chosen: { ...c.chosen, [key_of(turn.node.parent)]: next[0].id } } : c;
}

/** The verdict on a comparison; the conversation goes on from the better answer. */
export function decide(c: Conversation, turn: Turn, verdict: Verdict): Conversation {
  const [left, right] = turn.option;
  const pair = left.answer?.pair?.id;
  if (!right || pair === undefined) return c;
  const winner = verdict === "right" ? right : left;
  return {
    ...c,
    verdicts: { ...c.verdicts, [pair]: verdict },
    chosen: { ...c.chosen, [key_of(left.parent)]: winner.id },
  };
}

export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

/** What the model reads: the system prompt and the path down to this node. An answer that never came is left out. */
export function messages_to(c: Conversation, id: string | null): Message[] {
  const by_id = new Map(c.nodes.map((n) => [n.id, n]));
  const path: Message[] = [];
  for (let node = id === null ? undefined : by_id.get(id); node; node = by_id.get(node.parent ?? "")) {
    if (node.answer && node.text === "") continue;
    path.push({ role: node.answer ? "assistant" : "user", content: node.text });
  }
  if (c.system.trim() !== "") path.push({ role: "system", content: c.system });
  return path.reverse();
}

/** After a page was closed in the middle of an answer, that answer was stopped. */
export function settled(c: Conversation): Conversation {
  if (!c.nodes.some((n) => n.answer?.finish === null)) return c;
  return {
    ...c,
    nodes: c.nodes.map((n) =>
      n.answer?.finish === null ? { ...n, answer: { ...n.answer, finish: "stopped" } } : n,
    ),
  };
}

/** One line of JSONL for each conversation: messages as trainers read them, and where answers came from. */
export function export_lines(list: Conversation[]): string {
  return list
    .map((c) => {
      const path = turns(c);
      const last = path.at(-1);
      const answers = path.filter((t) => t.node.answer && !is_open_pair(t)).map((t) => t.node);
      const comparisons = path
        .filter((t) => t.option.length === 2 && t.verdict !== null)
        .map((t) => ({
          messages: messages_to(c, t.node.parent),
          left: { model: t.option[0].answer!.model, text: t.option[0].text },
          right: { model: t.option[1]!.answer!.model, text: t.option[1]!.text },
          winner: t.verdict,
        }));
      return (
        JSON.stringify({
          messages: messages_to(c, last && is_open_pair(last) ? last.node.parent : (last?.node.id ?? null)),
          title: c.title,
          created_at: new Date(c.created_ms).toISOString(),
          answers: answers.map((n) => ({
            completion: n.answer!.completion,
            model: n.answer!.model,
            system_fingerprint: n.answer!.fingerprint,
            finish_reason: n.answer!.finish,
            settings: n.answer!.settings,
            ...(n.answer!.thumb ? { thumb: n.answer!.thumb } : {}),
          })),
          ...(comparisons.length ? { comparisons } : {}),
        }) + "\n"
      );
    })
    .join("");
}
