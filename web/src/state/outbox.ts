// Answers on their way. An entry is stored before it is sent, sent in order, one at a time, with its
// own Idempotency-Key, and removed once the server has it: whatever happens to the connection, the
// tab or the server, each answer counts once. Only one tab of a person and organisation sends.
import { wait_ms, type Entry, type EntryKind, type Outcome } from "../pure/outbox_queue";
import type { OutboxStore } from "./outbox_store";

export type Sent = Outcome & { data?: unknown };
export interface OutboxView {
  waiting: number;
  refused: Entry[];
  away: boolean;
  signed_out: boolean;
  durable: boolean;
  oldest_ms: number | null;
}
export interface OutboxParts {
  store: OutboxStore;
  owner: string;
  send: (entry: Entry) => Promise<Sent>;
  on_sent?: (entry: Entry, outcome: Sent) => void;
  now_ms?: () => number;
  new_id?: () => string;
  later?: (run: () => void, ms: number) => () => void;
}

const plain_later = (run: () => void, ms: number) => {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
};

export class Outbox {
  private entries_: Entry[] = [];
  private pending_add_ = 0;
  private failures_ = 0;
  private signed_out_ = false;
  private pumping_ = false;
  private again_ = false;
  private stopped_ = false;
  private cancel_later_: (() => void) | null = null;
  private tail_: Promise<unknown> = Promise.resolve();
  private listeners_ = new Set<() => void>();
  private view_: OutboxView;

  constructor(private readonly parts_: OutboxParts) {
    this.view_ = this.make_view();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners_.add(listener);
    return () => this.listeners_.delete(listener);
  };
  readonly view = (): OutboxView => this.view_;

  /** Reads what an earlier page left, and starts to send it. */
  async start(): Promise<void> {
    this.stopped_ = false;
    await this.reload();
    if (typeof window !== "undefined") window.addEventListener("online", this.kick);
    await this.kick();
  }
  stop(): void {
    this.stopped_ = true;
    this.cancel_later_?.();
    if (typeof window !== "undefined") window.removeEventListener("online", this.kick);
  }

  /** Keeps an entry and sends it when its turn comes. Returns its id at once. */
  add(kind: EntryKind, ids: { assignment_id: string; project_id: string }, body: unknown): string {
    const id = this.parts_.new_id?.() ?? crypto.randomUUID();
    this.put(id, kind, ids, body);
    return id;
  }

  private put(
    id: string,
    kind: EntryKind,
    ids: { assignment_id: string; project_id: string },
    body: unknown,
  ): void {
    this.pending_add_++;
    this.in_turn(async () => {
      try {
        await this.parts_.store.add({
          id,
          owner: this.parts_.owner,
          kind,
          ...ids,
          body,
          created_at_ms: this.now_ms(),
          attempts: 0,
          state: "waiting",
        });
      } finally {
        this.pending_add_--;
      }
      await this.reload();
      void this.kick();
    });
  }

  /** Takes an entry back: removed when it was never sent, else followed by an undo. */
  take_back(id: string, ids: { assignment_id: string; project_id: string }): Promise<void> {
    return this.in_turn(async () => {
      if (!(await this.parts_.store.remove_unsent(id))) {
        const undo = {
          id: this.parts_.new_id?.() ?? crypto.randomUUID(),
          owner: this.parts_.owner,
          kind: "undo" as const,
          ...ids,
          body: {},
          created_at_ms: this.now_ms(),
          attempts: 0,
          state: "waiting" as const,
        };
        await this.parts_.store.add(undo);
      }
      await this.reload();
      void this.kick();
    });
  }

  /** A refused entry: tried again, or given up. */
  retry(id: string): Promise<void> {
    return this.in_turn(async () => {
      await this.parts_.store.change(id, { state: "waiting", attempts: 0 });
      await this.reload();
      void this.kick();
    });
  }
  discard(id: string): Promise<void> {
    return this.in_turn(async () => {
      await this.parts_.store.remove(id);
      await this.reload();
    });
  }

  /** Assignments with something not yet delivered. */
  busy_assignments(): Set<string> {
    return new Set(this.entries_.filter((e) => e.state === "waiting").map((e) => e.assignment_id));
  }

  signed_in_again(): void {
    this.signed_out_ = false;
    void this.kick();
  }

  /** Sends what waits; resolves when nothing waits any more or the server cannot take it now. */
  readonly kick = async (): Promise<void> => {
    if (this.stopped_) return;
    if (this.pumping_) {
      this.again_ = true;
      return;
    }
    this.pumping_ = true;
    this.cancel_later_?.();
    this.cancel_later_ = null;
    try {
      await this.alone(async () => {
        do {
          this.again_ = false;
          await this.pump();
        } while (this.again_ && !this.cancel_later_ && !this.stopped_);
      });
    } finally {
      this.pumping_ = false;
      this.changed();
    }
  };

  private async pump(): Promise<void> {
    while (!this.stopped_) {
      const entry = await this.parts_.store.take(this.parts_.owner);
      if (!entry) {
        await this.reload();
        return;
      }
      const outcome = await this.parts_.send(entry);
      if (outcome.kind === "later" || outcome.kind === "signed_out") {
        this.signed_out_ = outcome.kind === "signed_out";
        const wait = wait_ms(this.failures_++, outcome.kind === "later" ? outcome.after_ms : 15_000);
        await this.reload();
        this.cancel_later_ = (this.parts_.later ?? plain_later)(() => {
          this.cancel_later_ = null;
          void this.kick();
        }, wait);
        return;
      }
      this.failures_ = 0;
      this.signed_out_ = false;
      if (outcome.kind === "delivered") await this.parts_.store.remove(entry.id);
      else await this.parts_.store.change(entry.id, { state: "refused", reason: outcome.reason });
      await this.reload();
      this.parts_.on_sent?.(entry, outcome);
    }
  }

  /** One tab at a time, where the browser can tell. */
  private async alone(work: () => Promise<void>): Promise<void> {
    const locks = typeof navigator !== "undefined" ? navigator.locks : undefined;
    if (locks) await locks.request("hone-outbox:" + this.parts_.owner, work);
    else await work();
  }

  private in_turn(work: () => Promise<void>): Promise<void> {
    const next = this.tail_.then(work, work);
    this.tail_ = next.catch(() => undefined);
    this.changed();
    return next;
  }

  private async reload(): Promise<void> {
    this.entries_ = await this.parts_.store.list(this.parts_.owner);
    this.changed();
  }
  private now_ms(): number {
    return this.parts_.now_ms?.() ?? Date.now();
  }
  private make_view(): OutboxView {
    const waiting = this.entries_.filter((e) => e.state === "waiting");
    return {
      waiting: waiting.filter((e) => e.kind !== "undo").length + this.pending_add_,
      refused: this.entries_.filter((e) => e.state === "refused"),
      away: this.failures_ > 0,
      signed_out: this.signed_out_,
      durable: this.parts_.store.durable,
      oldest_ms: waiting[0]?.created_at_ms ?? null,
    };
  }
  private changed(): void {
    const next = this.make_view(),
      now = this.view_;
    if (
      next.waiting === now.waiting &&
      next.away === now.away &&
      next.signed_out === now.signed_out &&
      next.oldest_ms === now.oldest_ms &&
      next.refused.map((e) => e.id).join() === now.refused.map((e) => e.id).join()
    )
      return;
    this.view_ = next;
    for (const listener of this.listeners_) listener();
  }
}
