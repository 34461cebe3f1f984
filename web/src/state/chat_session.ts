// One conversation at work: sends, streams into the tree, keeps it in the browser. Chunks are gathered
// and shown once a frame, however fast they come. Views are immutable; nodes that did not change keep
// their identity, so that only the answer that grows is drawn again.
import { ApiError } from "../api/client";
import type { ChatRequest } from "../api/chat";
import type { Feedback, SignedAnswer } from "../api/feedback";
import type { Chunk, TokenInfo } from "../pure/chat_stream";
import {
  add_node,
  decide,
  is_open_pair,
  kMostMessageChars,
  kMostNodes,
  messages_to,
  new_conversation,
  node_of,
  put_node,
  switch_branch,
  turns,
  type Answer,
  type ChatNode,
  type Conversation,
  type Message,
  type Side,
  type Turn,
  type Verdict,
} from "../pure/conversation";
import { sampling_body } from "../pure/sampling";
import { t } from "../messages";
import type { ChatSettings } from "./chat_settings";
import type { ChatStore, Summary } from "./chat_store";

export interface ChatPorts {
  stream: (request: ChatRequest, signal: AbortSignal, on: (chunk: Chunk) => void) => Promise<void>;
  feedback: (feedback: Feedback, consent: boolean, answers?: SignedAnswer[]) => Promise<void>;
  store: ChatStore;
  now: () => number;
  frame: (then: () => void) => void;
  id: () => string;
  lot: () => boolean; // whether the first model stands on the left
  signed_out: (error: unknown) => void;
}
/** What happened last, for those who do not see it. */
export interface Said {
  kind: "started" | "finished" | "stopped" | "failed";
  serial: number;
  node: ChatNode | null;
}
export interface ChatView {
  phase: "loading" | "ready" | "missing";
  opened: string | null | undefined; // what was asked for: an id, or null for a new one
  conversation: Conversation;
  turns: Turn[];
  list: Summary[];
  busy: boolean;
  takes_feedback: boolean;
  said: Said | null;
}

interface Stream {
  node: ChatNode;
  messages: Message[]; // that it answers
  model: string | null; // that answers, as the server calls it
  stop: AbortController;
  begun_ms: number;
  text: string;
  tokens: TokenInfo[];
  reason: string; // why the server says that it ended
  changed: boolean;
}
const kSaveEveryMs = 3000;
const kMostTop = 5;

export class ChatSession {
  private view_: ChatView;
  private listeners_ = new Set<() => void>();
  private streams_ = new Map<string, Stream>();
  private frame_asked_ = false;
  private saved_ms_ = 0;
  private opening_ = 0;

  constructor(
    private readonly owner_: string,
    private readonly ports_: ChatPorts,
  ) {
    this.view_ = {
      phase: "loading",
      opened: undefined,
      conversation: this.fresh(),
      turns: [],
      list: [],
      busy: false,
      takes_feedback: true,
      said: null,
    };
  }
  view = (): ChatView => this.view_;
  subscribe = (listener: () => void): (() => void) => {
    this.listeners_.add(listener);
    return () => this.listeners_.delete(listener);
  };

  /** Shows a conversation of this browser, or a new one. */
  async open(id: string | null): Promise<void> {
    if (id !== null && id === this.view_.conversation.id && this.view_.phase === "ready")
      return this.set({ opened: id });
    this.stop();
    const serial = ++this.opening_;
    const [found, list] = await Promise.all([
      id === null ? null : this.ports_.store.get(this.owner_, id).catch(() => null),
      this.ports_.store.list(this.owner_).catch(() => []),
    ]);
    if (serial !== this.opening_) return;
    const phase = id !== null && !found ? "missing" : "ready";
    this.set({ phase, opened: id, list, conversation: found ?? this.fresh(), said: null });
  }
  /** Ends what runs; what came so far is kept. */
  close(): void {
    this.opening_++;
    this.stop();
  }

  // What the person does ---------------------------------------------------------------------------

  can_send(): boolean {
    const last = this.view_.turns.at(-1);
    return (
      this.view_.phase === "ready" &&
      !this.view_.busy &&
      !(last && is_open_pair(last)) &&
      this.view_.conversation.nodes.length < kMostNodes
    );
  }
  /** False when it cannot be sent now. */
  send(text: string, settings: ChatSettings): boolean {
    if (text.trim() === "" || !this.can_send()) return false;
    this.ask(this.view_.turns.at(-1)?.node.id ?? null, text, settings);
    return true;
  }
  /** The question in other words, as a branch beside the first. */
  edit(node: ChatNode, text: string, settings: ChatSettings): boolean {
    if (text.trim() === "" || this.view_.busy || node.answer) return false;
    this.ask(node.parent, text, settings);
    return true;
  }
  /** Another answer beside this one; in the place of it when nothing came. */
  regenerate(node: ChatNode, settings: ChatSettings): boolean {
    if (this.view_.busy || !node.answer || node.parent === null) return false;
    const turn = this.view_.turns.find((t) => t.option.some((n) => n.id === node.id));
    const failed = turn?.option.some((n) => n.answer?.finish === "failed" && n.text === "") ?? false;
    if (turn && failed) {
      const gone = new Set(turn.option.map((n) => n.id));
      const c = this.view_.conversation;
      this.set({ conversation: { ...c, nodes: c.nodes.filter((n) => !gone.has(n.id)) } });
    }
    this.answer(node.parent, settings);
    return true;
  }
  stop(): void {
    for (const stream of [...this.streams_.values()]) {
      stream.stop.abort();
      this.finish(stream, { finish: "stopped" });
    }
  }
  step(turn: Turn, by: number): void {
    if (this.view_.busy) return;
    this.keep(switch_branch(this.view_.conversation, turn, by));
  }
  set_system(system: string): void {
    this.keep({ ...this.view_.conversation, system: system.slice(0, kMostMessageChars) }, false);
  }
  rename(id: string, title: string): void {
    const named = title.trim().slice(0, 120);
    if (!named) return;
    if (id === this.view_.conversation.id)
      this.keep({ ...this.view_.conversation, title: named, named: true });
    else
      void this.ports_.store.get(this.owner_, id).then(async (c) => {
        if (c) await this.ports_.store.put({ ...c, title: named, named: true });
        await this.refresh();
      });
  }
  async remove(id: string): Promise<void> {
    if (id === this.view_.conversation.id) {
      this.stop();
      this.set({ conversation: this.fresh(), said: null });
    }
    await this.ports_.store.remove(this.owner_, id);
    await this.refresh();
  }
  async clear(): Promise<void> {
    this.stop();
    this.set({ conversation: this.fresh(), said: null });
    await this.ports_.store.clear(this.owner_);
    await this.refresh();
  }
  everything = (): Promise<Conversation[]> => this.ports_.store.all(this.owner_);

  /** The verdict on the comparison at the end. Without both answers there is none. */
  vote(verdict: Verdict, consent: boolean): boolean {
    const turn = this.view_.turns.at(-1);
    if (!turn || this.view_.busy || !is_open_pair(turn)) return false;
    if (verdict !== "skipped" && turn.option.some((n) => n.text === "")) return false;
    this.keep(decide(this.view_.conversation, turn, verdict));
    const [left, right] = turn.option.map((n) => n.answer?.completion);
    if (verdict !== "skipped" && left && right)
      void this.tell({ kind: "comparison", completions: [left, right], winner: verdict }, consent);
    return true;
  }
  async thumb(node: ChatNode, value: 1 | -1, consent: boolean): Promise<void> {
    if (!node.answer?.completion) return;
    const before = node.answer.thumb;
    this.change_answer(node.id, { thumb: value });
    if (!(await this.tell({ kind: "thumbs", completion: node.answer.completion, value }, consent)))
      this.change_answer(node.id, { thumb: before });
  }
  async report(node: ChatNode, reason: string, comment: string, consent: boolean): Promise<boolean> {
    if (!node.answer?.completion) return false;
    const told = await this.tell(
      { kind: "report", completion: node.answer.completion, reason, comment },
      consent,
    );
    if (told) this.change_answer(node.id, { reported: true });
    return told;
  }
  /** The answer as it should have been: a branch that the conversation goes on from. */
  async correct(node: ChatNode, text: string, send: boolean, consent: boolean): Promise<boolean> {
    if (!node.answer || text.trim() === "" || text === node.text || this.view_.busy) return false;
    const { completion } = node.answer;
    this.keep(
      add_node(this.view_.conversation, {
        id: this.ports_.id(),
        parent: node.parent,
        text,
        at_ms: this.ports_.now(),
        answer: { ...empty_answer(node.answer.model), finish: "written" },
      }),
    );
    return send && completion ? await this.tell({ kind: "edit", completion, text }, consent) : true;
  }

  // Streams ----------------------------------------------------------------------------------------

  private ask(parent: string | null, text: string, settings: ChatSettings): void {
    const node: ChatNode = {
      id: this.ports_.id(),
      parent,
      text: text.slice(0, kMostMessageChars),
      at_ms: this.ports_.now(),
      answer: null,
    };
    this.set({ conversation: add_node(this.view_.conversation, node) });
    this.answer(node.id, settings);
  }
  private answer(question: string, settings: ChatSettings): void {
    if (!settings.compare) {
      this.begin(question, settings.model, null, settings);
    } else {
      const pair = this.ports_.id();
      const [left, right] = this.ports_.lot()
        ? [settings.model, settings.other]
        : [settings.other, settings.model];
      this.begin(question, left, { id: pair, side: "left" }, settings);
      this.begin(question, right, { id: pair, side: "right" }, settings);
    }
    this.save();
    this.say("started", null);
  }
  private begin(
    question: string,
    model: string,
    pair: { id: string; side: Side } | null,
    settings: ChatSettings,
  ): void {
    const node: ChatNode = {
      id: this.ports_.id(),
      parent: question,
      text: "",
      at_ms: this.ports_.now(),
      answer: { ...empty_answer(model), pair },
    };
    const conversation = add_node(this.view_.conversation, node);
    const messages = messages_to(conversation, question);
    const stream: Stream = {
      node,
      messages,
      model: null,
      stop: new AbortController(),
      begun_ms: this.ports_.now(),
      text: "",
      tokens: [],
      reason: "stop",
      changed: false,
    };
    this.streams_.set(node.id, stream);
    this.set({ conversation, busy: true });
    const request: ChatRequest = {
      model,
      messages,
      ...sampling_body(settings.sampling),
      ...(settings.probabilities ? { logprobs: true, top_logprobs: kMostTop } : {}),
    };
    this.ports_
      .stream(request, stream.stop.signal, (chunk) => this.take(stream, chunk))
      .then(
        () => this.finish(stream, {}),
        (error: unknown) => {
          if (stream.stop.signal.aborted) return;
          this.ports_.signed_out(error);
          this.finish(stream, { finish: "failed", trouble: trouble_of(error) });
        },
      );
  }
  private take(stream: Stream, chunk: Chunk): void {
    const answer = stream.node.answer!;
    const more: Partial<Answer> = {};
    if (chunk.id) more.completion = chunk.id;
    if (chunk.fingerprint) more.fingerprint = chunk.fingerprint;
    if (chunk.usage) more.usage = chunk.usage;
    if (chunk.settings) more.settings = chunk.settings;
    if (chunk.model) stream.model = chunk.model;
    if (chunk.mac)
      more.signed = {
        model: stream.model ?? answer.model,
        messages: stream.messages,
        feedback_mac: chunk.mac,
      };
    if ((chunk.text !== "" || chunk.tokens.length > 0) && answer.first_token_ms === null)
      more.first_token_ms = this.ports_.now() - stream.begun_ms;
    stream.text += chunk.text;
    stream.tokens.push(...chunk.tokens);
    stream.node = { ...stream.node, answer: { ...answer, ...more } };
    if (chunk.finish !== null) stream.reason = chunk.finish;
    stream.changed = true;
    if (this.frame_asked_) return;
    this.frame_asked_ = true;
    this.ports_.frame(() => {
      this.frame_asked_ = false;
      this.flush();
    });
  }
  private flush(): void {
    let conversation = this.view_.conversation;
    for (const stream of this.streams_.values()) {
      if (!stream.changed) continue;
      stream.changed = false;
      this.settle(stream);
      conversation = put_node(conversation, stream.node);
    }
    if (conversation === this.view_.conversation) return;
    this.set({ conversation });
    if (this.ports_.now() - this.saved_ms_ > kSaveEveryMs) this.save();
  }
  /** What was gathered goes into the node. */
  private settle(stream: Stream): void {
    const { node, text, tokens } = stream;
    const answer = node.answer!;
    stream.node = {
      ...node,
      text: (node.text + text).slice(0, 4 * kMostMessageChars),
      answer: tokens.length ? { ...answer, tokens: [...answer.tokens, ...tokens] } : answer,
    };
    stream.text = "";
    stream.tokens = [];
  }
  private finish(stream: Stream, more: Partial<Answer>): void {
    if (!this.streams_.delete(stream.node.id)) return;
    this.settle(stream);
    stream.node = {
      ...stream.node,
      answer: {
        ...stream.node.answer!,
        finish: stream.reason === "length" ? "length" : "stop",
        total_ms: this.ports_.now() - stream.begun_ms,
        ...more,
      },
    };
    const busy = this.streams_.size > 0;
    const conversation = put_node(this.view_.conversation, stream.node);
    this.set({ conversation: { ...conversation, updated_ms: this.ports_.now() }, busy });
    this.save();
    if (busy) return;
    const { finish, pair } = stream.node.answer!;
    this.say(
      finish === "failed" ? "failed" : finish === "stopped" ? "stopped" : "finished",
      pair ? null : stream.node,
    );
  }

  // The rest ---------------------------------------------------------------------------------------

  private async tell(feedback: Feedback, consent: boolean): Promise<boolean> {
    try {
      const answers = this.signed(feedback);
      await this.ports_.feedback(feedback, consent, ...(answers ? [answers] : []));
      return true;
    } catch (caught) {
      this.ports_.signed_out(caught);
      // The server keeps no answers, and this one came without its proof: it was stopped, or is older.
      const unproved = caught instanceof ApiError && caught.status === 400 && caught.field === "answers";
      const error = unproved ? new Error(t.chat.not_kept) : caught;
      // 404 of the address: this server has no such thing. 404 of the answer: it is not there any more.
      const no_address = error instanceof ApiError && error.status === 404 && error.field !== "completion";
      if (no_address || (error instanceof ApiError && error.status === 405)) {
        this.set({ takes_feedback: false });
        return false;
      }
      if (feedback.kind === "edit" || feedback.kind === "report") throw error;
      this.failed_?.(error);
      return false;
    }
  }
  /** The answers that are judged, to be sent back; nothing where the server keeps them itself. */
  private signed(feedback: Feedback): SignedAnswer[] | undefined {
    const ids = feedback.kind === "comparison" ? feedback.completions : [feedback.completion];
    const answers = ids.map((id): SignedAnswer | null => {
      const node = this.view_.conversation.nodes.find((n) => n.answer?.completion === id);
      const signed = node?.answer?.signed;
      if (!node?.answer || !signed) return null;
      const { fingerprint, settings } = node.answer;
      return {
        completion: id,
        system_fingerprint: fingerprint ?? "",
        settings: settings ?? {},
        text: node.text,
        ...signed,
      };
    });
    return answers.every((a) => a !== null) ? answers : undefined;
  }
  private failed_: ((error: unknown) => void) | null = null;
  /** Who is told that feedback did not arrive. */
  on_failed(tell: (error: unknown) => void): void {
    this.failed_ = tell;
  }
  private change_answer(id: string, more: Partial<Answer>): void {
    const node = node_of(this.view_.conversation, id);
    if (node?.answer)
      this.keep(put_node(this.view_.conversation, { ...node, answer: { ...node.answer, ...more } }));
  }
  private fresh(): Conversation {
    return new_conversation(this.ports_.id(), this.owner_, this.ports_.now());
  }
  private say(kind: Said["kind"], node: ChatNode | null): void {
    this.set({ said: { kind, node, serial: (this.view_.said?.serial ?? 0) + 1 } });
  }
  private keep(conversation: Conversation, even_empty = true): void {
    this.set({ conversation });
    if (even_empty || conversation.nodes.length > 0) this.save();
  }
  private save(): void {
    const conversation = this.view_.conversation;
    if (conversation.nodes.length === 0) return;
    this.saved_ms_ = this.ports_.now();
    void this.ports_.store
      .put(conversation)
      .then(() => this.refresh())
      .catch(() => undefined); // a full disk: the conversation goes on, and is gone with the page
  }
  private async refresh(): Promise<void> {
    this.set({ list: await this.ports_.store.list(this.owner_) });
  }
  private set(change: Partial<ChatView>): void {
    const turned = change.conversation && change.conversation !== this.view_.conversation;
    this.view_ = { ...this.view_, ...change };
    if (turned) this.view_.turns = turns(this.view_.conversation);
    for (const listener of this.listeners_) listener();
  }
}

const empty_answer = (model: string): Answer => ({
  model,
  completion: null,
  fingerprint: null,
  finish: null,
  usage: null,
  settings: null,
  first_token_ms: null,
  total_ms: null,
  tokens: [],
  trouble: null,
  pair: null,
});

function trouble_of(error: unknown) {
  if (error instanceof ApiError)
    return {
      status: error.status,
      code: error.code,
      message: error.message,
      ...(error.retry_after_ms ? { retry_after_ms: error.retry_after_ms } : {}),
    };
  return { status: 0, code: "bad_stream", message: error instanceof Error ? error.message : String(error) };
}

/** Tokens a second after the first one; null when there is nothing to divide. */
export function rate_of(answer: Answer): number | null {
  const { usage, tokens, first_token_ms, total_ms } = answer;
  const count = usage?.completion ?? tokens.length;
  if (first_token_ms === null || total_ms === null || count < 2 || total_ms <= first_token_ms) return null;
  return ((count - 1) * 1000) / (total_ms - first_token_ms);
}
