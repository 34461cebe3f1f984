// One person at work on one project: the task on screen, the ones fetched ahead, what was answered,
// drafts, leases, time. Key presses change this object and nothing else waits: the next task is
// already here, the answer leaves through the outbox. Views read `view()`; there is no DOM here.
import { ActiveTime } from "../pure/active_time";
import {
  clean_answer,
  first_answer,
  is_instant,
  missing_slots,
  slots_of,
  with_value,
  is_filled,
  type Answer,
  type Schema,
  type Slot,
} from "../pure/answer";
import { ApiError } from "../api/client";
import type { NoTask } from "../api/labelling";
import type { Assignment, Mine, Submitted } from "../api/types";
import type { Entry } from "../pure/outbox_queue";
import { local_drafts, type LocalDrafts } from "./local_drafts";
import type { Sent } from "./outbox";

export interface LabellingApi {
  next_tasks(project_id: string, count: number): Promise<{ list: Assignment[]; reason: NoTask | null }>;
  get_mine(project_id: string): Promise<Mine>;
  get_schema(project_id: string, version: number): Promise<Schema>;
  save_draft(assignment_id: string, draft: unknown): Promise<void>;
  heartbeat(assignment_id: string): Promise<unknown>;
  release(assignment_id: string): Promise<unknown>;
  undo_now(assignment_id: string): Promise<Assignment>;
}
export interface LabellingOutbox {
  add(
    kind: "annotation" | "skip" | "flag",
    ids: { assignment_id: string; project_id: string },
    body: unknown,
  ): string;
  take_back(id: string, ids: { assignment_id: string; project_id: string }): Promise<void>;
  busy_assignments(): Set<string>;
}
export interface Draft {
  answer: Answer;
  rationale: string;
}
export interface Past {
  assignment: Assignment;
  draft: Draft;
  active_ms: number;
  entry_id: string;
  kind: "annotation" | "skip";
  at_ms: number;
}

export interface LabelView {
  phase: "loading" | "working" | "empty" | "away" | "failed";
  reason: NoTask | null;
  error: string | null;
  current: Assignment | null;
  schema: Schema | null;
  draft: Draft;
  slots: Slot[];
  cursor: number;
  missing: (Slot | "rationale")[];
  instant: boolean;
  saved: "saved" | "saving" | "unsaved" | "clean";
  again: boolean; // this task was answered before and taken back
  ahead: Assignment[];
  done: number;
  done_today: number;
  active_ms_today: number;
  available: number;
  last: Past | null; // what U takes back
  can_undo: boolean;
  notice: { text: string; good: boolean } | null;
  shown: number; // counts tasks shown, so that a view can tell a new one
}

const kAhead = 2; // with the one on screen, the three that the server gives
const kLookMs = 10_000,
  kHeartbeatMs = 60_000,
  kDraftMs = 700,
  kHistory = 50;

export class LabelSession {
  private view_: LabelView;
  private listeners_ = new Set<() => void>();
  private schemas_ = new Map<number, Schema>();
  private drafts_ = new Map<string, Draft>();
  private leases_ = new Map<string, { length_ms: number; beat_ms: number }>();
  private spent_ms_ = new Map<string, number>();
  private past_: Past[] = [];
  private recent_: Mine["recent"] | null = null;
  private answered_ = new Set<string>();
  private timer_: ActiveTime;
  private filling_ = false;
  private fill_again_ = false;
  private stopped_ = true;
  private draft_timer_: ReturnType<typeof setTimeout> | null = null;
  private beat_timer_: ReturnType<typeof setInterval> | null = null;
  private retry_timer_: ReturnType<typeof setTimeout> | null = null;

  constructor(
    readonly project_id: string,
    private readonly api_: LabellingApi,
    private readonly outbox_: LabellingOutbox,
    private readonly now_ms_: () => number = Date.now,
    private readonly kept_drafts_: LocalDrafts<Draft> = local_drafts<Draft>("", null),
  ) {
    this.timer_ = new ActiveTime(now_ms_());
    this.view_ = {
      phase: "loading",
      reason: null,
      error: null,
      current: null,
      schema: null,
      draft: { answer: {}, rationale: "" },
      slots: [],
      cursor: 0,
      missing: [],
      instant: false,
      saved: "clean",
      again: false,
      ahead: [],
      done: 0,
      done_today: 0,
      active_ms_today: 0,
      available: 0,
      last: null,
      can_undo: false,
      notice: null,
      shown: 0,
    };
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners_.add(listener);
    return () => this.listeners_.delete(listener);
  };
  readonly view = (): LabelView => this.view_;

  start(): void {
    this.stopped_ = false;
    void this.load_mine();
    void this.fill();
    this.beat_timer_ = setInterval(() => this.beat(), kLookMs);
  }

  /** Leaves: the draft is saved, and tasks nobody looked at go back at once. */
  stop(): void {
    this.stopped_ = true;
    this.save_draft_now();
    for (const timer of [this.draft_timer_, this.retry_timer_]) if (timer) clearTimeout(timer);
    if (this.beat_timer_) clearInterval(this.beat_timer_);
    for (const ahead of this.view_.ahead)
      if (!this.drafts_.has(ahead.assignment_id))
        this.api_.release(ahead.assignment_id).catch(() => undefined);
  }

  // ---- signs of life
  input(): void {
    this.timer_.input(this.now_ms_());
  }
  visible(yes: boolean): void {
    if (yes) this.timer_.show(this.now_ms_());
    else {
      this.timer_.hide(this.now_ms_());
      this.save_draft_now();
    }
  }

  private beat(): void {
    const now_ms = this.now_ms_();
    if (!this.timer_.active(now_ms)) return;
    for (const held of [this.view_.current, ...this.view_.ahead]) {
      const lease = held && this.leases_.get(held.assignment_id);
      if (!lease || now_ms - lease.beat_ms < Math.min(kHeartbeatMs, lease.length_ms / 3)) continue;
      lease.beat_ms = now_ms;
      this.api_.heartbeat(held.assignment_id).catch(() => undefined);
    }
  }

  // ---- answering
  set(slot: Slot, value: unknown, done = false): void {
    const { current, schema, draft } = this.view_;
    if (!current || !schema) return;
    this.input();
    const answer = with_value(draft.answer, slot, value);
    let cursor = this.view_.slots.findIndex((s) => s.id === slot.id);
    if (done) cursor = this.next_open(cursor, answer);
    this.write({ ...draft, answer }, { cursor });
  }
  set_rationale(text: string): void {
    this.input();
    this.write({ ...this.view_.draft, rationale: text });
  }
  move(by: number): void {
    this.input();
    const n = this.view_.slots.length;
    if (n) this.show({ cursor: (this.view_.cursor + by + n) % n });
  }
  go_to(slot_id: string): void {
    const at = this.view_.slots.findIndex((s) => s.id === slot_id);
    if (at >= 0 && at !== this.view_.cursor) this.show({ cursor: at });
  }

  /** The next slot without an answer after `from`; stays when there is none. */
  private next_open(from: number, answer: Answer): number {
    const { slots, current } = this.view_;
    for (let step = 1; step <= slots.length; step++) {
      const at = (from + step) % slots.length;
      if (!is_filled(slots[at]!, answer, current!.task)) return at;
    }
    return from;
  }

  /** Sends the answer and shows the next task. False when something is missing: the cursor goes there. */
  submit(): boolean {
    const { current, schema, draft } = this.view_;
    if (!current || !schema) return false;
    this.input();
    const answer = clean_answer(schema, current.task, draft.answer);
    const missing = missing_slots(schema, current.task, answer, draft.rationale);
    const first = missing[0];
    if (first) {
      const at =
        first === "rationale" ? this.view_.cursor : this.view_.slots.findIndex((s) => s.id === first.id);
      this.show({ cursor: at, missing });
      return false;
    }
    const rationale = draft.rationale.trim();
    const active_ms = this.spent(current.assignment_id);
    this.leave(current, { answer, rationale }, active_ms, "annotation", {
      answer,
      active_ms,
      ...(rationale ? { rationale } : {}),
    });
    return true;
  }

  /** One key, one answer: fills the slot and sends it. */
  answer_at_once(slot: Slot, value: unknown): void {
    this.set(slot, value, true);
    this.submit();
  }

  skip(reason: string, comment?: string): void {
    const { current, draft } = this.view_;
    if (current)
      this.leave(
        current,
        draft,
        this.spent(current.assignment_id),
        "skip",
        comment ? { reason, comment } : { reason },
      );
  }
  flag(reason: string, comment?: string): void {
    const { current } = this.view_;
    if (current) this.outbox_.add("flag", this.ids(current), comment ? { reason, comment } : { reason });
  }

  private leave(
    current: Assignment,
    draft: Draft,
    active_ms: number,
    kind: Past["kind"],
    body: unknown,
  ): void {
    if (this.draft_timer_) clearTimeout(this.draft_timer_);
    this.draft_timer_ = null;
    const entry_id = this.outbox_.add(kind, this.ids(current), body);
    this.answered_.add(current.assignment_id);
    this.drafts_.delete(current.assignment_id);
    this.leases_.delete(current.assignment_id);
    this.kept_drafts_.drop(current.assignment_id);
    this.past_.push({ assignment: current, draft, active_ms, entry_id, kind, at_ms: this.now_ms_() });
    if (this.past_.length > kHistory) this.past_.shift();
    const v = this.view_,
      one = kind === "annotation" ? 1 : 0;
    this.show({
      done: v.done + one,
      done_today: v.done_today + one,
      active_ms_today: v.active_ms_today + (one ? active_ms : 0),
      available: Math.max(0, v.available - 1),
      notice: null,
    });
    this.advance();
    void this.fill();
  }

  /** Takes the last answer back and shows its task again, at once. */
  undo(): void {
    const past = this.past_.pop();
    if (!past) {
      void this.undo_older();
      return;
    }
    void this.outbox_.take_back(past.entry_id, this.ids(past.assignment));
    const one = past.kind === "annotation" ? 1 : 0,
      v = this.view_;
    this.show({
      done: v.done - one,
      done_today: Math.max(0, v.done_today - one),
      active_ms_today: Math.max(0, v.active_ms_today - (one ? past.active_ms : 0)),
      available: v.available + 1,
    });
    this.bring_back(past.assignment, past.draft, past.active_ms);
  }

  private async undo_older(): Promise<void> {
    const old = this.recent_?.find(
      (r) =>
        r.can_undo &&
        !this.answered_.has(r.assignment_id) &&
        r.assignment_id !== this.view_.current?.assignment_id,
    );
    if (!old) return;
    this.recent_ = this.recent_!.filter((r) => r !== old);
    try {
      const back = await this.api_.undo_now(old.assignment_id);
      const v = this.view_;
      this.show({ done: v.done - 1, done_today: Math.max(0, v.done_today - 1), available: v.available + 1 });
      this.bring_back(back, { answer: (back.answer as Answer | null) ?? old.answer, rationale: "" }, 0);
    } catch (error) {
      this.show({ notice: { text: (error as Error).message, good: false } });
    }
  }

  private bring_back(assignment: Assignment, draft: Draft, spent_ms: number): void {
    const { current, ahead } = this.view_;
    this.answered_.delete(assignment.assignment_id);
    this.drafts_.set(assignment.assignment_id, draft);
    if (current) {
      this.keep_spent(current.assignment_id);
      this.show({ ahead: [current, ...ahead] });
    }
    this.spent_ms_.set(assignment.assignment_id, spent_ms);
    this.leases_.set(assignment.assignment_id, { length_ms: 3 * kHeartbeatMs, beat_ms: this.now_ms_() });
    this.put_on_screen(assignment, true);
  }

  // ---- tasks
  private advance(): void {
    const [next, ...ahead] = this.view_.ahead;
    if (next) {
      this.show({ ahead });
      this.put_on_screen(next, false);
    } else this.show({ current: null, phase: "loading", reason: null, slots: [], ...this.after_past() });
  }

  private put_on_screen(assignment: Assignment, again: boolean): void {
    const schema = this.schemas_.get(assignment.schema_version) ?? null;
    if (!schema) {
      this.show({ current: null, phase: "loading", ahead: [assignment, ...this.view_.ahead] });
      void this.fill();
      return;
    }
    const kept =
      this.drafts_.get(assignment.assignment_id) ??
      draft_of(this.kept_drafts_.get(assignment.assignment_id)) ??
      draft_of(assignment.draft);
    const draft = kept ?? { answer: first_answer(schema, assignment.task), rationale: "" };
    const slots = slots_of(schema, assignment.task);
    const open = slots.findIndex((s) => !is_filled(s, draft.answer, assignment.task));
    this.timer_ = new ActiveTime(this.now_ms_(), typeof document === "undefined" || !document.hidden);
    this.show({
      phase: "working",
      reason: null,
      error: null,
      current: assignment,
      schema,
      draft,
      slots,
      cursor: Math.max(0, open),
      instant: is_instant(schema, assignment.task),
      missing: missing_slots(schema, assignment.task, draft.answer, draft.rationale),
      saved: kept ? "saved" : "clean",
      again,
      shown: this.view_.shown + 1,
      ...this.after_past(),
    });
  }

  /** Fetches until there are enough ahead. One request at a time. */
  private async fill(): Promise<void> {
    if (this.stopped_ || (this.view_.ahead.length >= kAhead && this.view_.current)) return;
    if (this.filling_) {
      this.fill_again_ = true;
      return;
    }
    this.filling_ = true;
    try {
      const { list, reason } = await this.api_.next_tasks(this.project_id, kAhead + 1);
      const fresh = list.filter((a) => !this.known(a.assignment_id));
      for (const a of fresh)
        if (!this.schemas_.has(a.schema_version))
          this.schemas_.set(a.schema_version, await this.api_.get_schema(this.project_id, a.schema_version));
      // Undo may have changed what is known while the schema was on its way.
      const still = fresh.filter((a) => !this.known(a.assignment_id));
      if (this.stopped_) return;
      for (const a of still)
        this.leases_.set(a.assignment_id, {
          length_ms: Math.max(10_000, (Date.parse(a.lease_expires_at) || 0) - this.now_ms_()),
          beat_ms: this.now_ms_(),
        });
      if (still.length) this.show({ ahead: [...this.view_.ahead, ...still] });
      if (!this.view_.current) {
        if (this.view_.ahead.length) this.advance();
        else if (list.length === 0) this.show({ phase: "empty", reason, available: 0, ...this.after_past() });
      }
    } catch (error) {
      this.failed(error);
    } finally {
      this.filling_ = false;
      if (this.fill_again_) {
        this.fill_again_ = false;
        void this.fill();
      }
    }
  }

  private known(id: string): boolean {
    return (
      this.answered_.has(id) ||
      this.view_.current?.assignment_id === id ||
      this.view_.ahead.some((a) => a.assignment_id === id) ||
      this.outbox_.busy_assignments().has(id)
    );
  }

  private failed(error: unknown): void {
    const away =
      error instanceof ApiError && (error.status === 0 || error.status === 429 || error.status >= 500);
    if (!this.view_.current) this.show({ phase: away ? "away" : "failed", error: (error as Error).message });
    if (away && !this.stopped_) {
      if (this.retry_timer_) clearTimeout(this.retry_timer_);
      this.retry_timer_ = setTimeout(
        () => void this.fill(),
        Math.max(2000, (error as ApiError).retry_after_ms ?? 0),
      );
    }
  }
  retry(): void {
    this.show({ phase: this.view_.current ? "working" : "loading", error: null });
    void this.fill();
  }

  private async load_mine(): Promise<void> {
    try {
      const mine = await this.api_.get_mine(this.project_id);
      this.recent_ = mine.recent;
      const sent = this.past_.filter((p) => p.kind === "annotation");
      this.show({
        done: mine.done + sent.length,
        done_today: mine.done_today + sent.length,
        active_ms_today: mine.minutes_today * 60_000,
        available: mine.available,
        ...this.after_past(),
      });
    } catch {
      /* the figures come with the next answer */
    }
  }

  /** The outbox tells what became of an entry of this project. */
  delivered(entry: Entry, outcome: Sent): void {
    if (entry.project_id !== this.project_id) return;
    if (outcome.kind === "delivered") {
      const data = outcome.data as Submitted | undefined;
      if (entry.kind === "annotation" && data?.exam)
        this.show({ notice: { text: data.exam.explanation ?? "", good: data.exam.correct } });
    } else if (outcome.kind === "refused" && entry.kind === "undo") {
      this.show({ notice: { text: outcome.reason, good: false } });
    }
    void this.fill();
  }

  // ---- drafts and time
  private write(draft: Draft, more: Partial<LabelView> = {}): void {
    const { current, schema } = this.view_;
    if (!current || !schema) return;
    this.drafts_.set(current.assignment_id, draft);
    this.show({
      draft,
      saved: "unsaved",
      missing: missing_slots(schema, current.task, draft.answer, draft.rationale),
      ...more,
    });
    if (this.draft_timer_) clearTimeout(this.draft_timer_);
    this.draft_timer_ = setTimeout(() => this.save_draft_now(), kDraftMs);
  }
  private save_draft_now(): void {
    const { current, draft, saved } = this.view_;
    if (this.draft_timer_) clearTimeout(this.draft_timer_);
    this.draft_timer_ = null;
    if (!current || saved !== "unsaved") return;
    this.show({ saved: "saving" });
    this.api_.save_draft(current.assignment_id, draft).then(
      () => {
        this.kept_drafts_.drop(current.assignment_id);
        if (this.view_.current === current && this.view_.draft === draft) this.show({ saved: "saved" });
      },
      () => {
        if (this.drafts_.has(current.assignment_id)) this.kept_drafts_.keep(current.assignment_id, draft);
        if (this.view_.current !== current || this.view_.draft !== draft) return;
        this.show({ saved: "unsaved" });
        if (!this.stopped_ && !this.draft_timer_)
          this.draft_timer_ = setTimeout(() => this.save_draft_now(), 5000);
      },
    );
  }
  private spent(id: string): number {
    return (this.spent_ms_.get(id) ?? 0) + this.timer_.total_ms(this.now_ms_());
  }
  private keep_spent(id: string): void {
    this.spent_ms_.set(id, this.spent(id));
  }

  private ids(a: Assignment) {
    return { assignment_id: a.assignment_id, project_id: this.project_id };
  }
  private after_past(): Pick<LabelView, "last" | "can_undo"> {
    const last = this.past_[this.past_.length - 1] ?? null;
    return {
      last,
      can_undo:
        last !== null ||
        (this.recent_?.some((r) => r.can_undo && !this.answered_.has(r.assignment_id)) ?? false),
    };
  }
  dismiss_notice(): void {
    this.show({ notice: null });
  }
  private show(change: Partial<LabelView>): void {
    this.view_ = { ...this.view_, ...change };
    for (const listener of this.listeners_) listener();
  }
}

function draft_of(stored: unknown): Draft | null {
  if (stored === null || typeof stored !== "object") return null;
  const { answer, rationale } = stored as Partial<Draft>;
  return answer !== null && typeof answer === "object"
    ? { answer: answer as Answer, rationale: typeof rationale === "string" ? rationale : "" }
    : null;
}
