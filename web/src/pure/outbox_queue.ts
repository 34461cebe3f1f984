// The order of the outbox, without storage or network: what is sent next, what a retraction removes,
// what happens after each outcome. Entries leave in the order they came; one at a time.

export type EntryKind = "annotation" | "skip" | "flag" | "undo";
export interface Entry {
  id: string; // also its Idempotency-Key: however often it is sent, it counts once
  order: number; // counted up by the storage
  owner: string; // person and organisation; nobody else's entries are ever sent
  kind: EntryKind;
  assignment_id: string;
  project_id: string;
  body: unknown;
  created_at_ms: number;
  attempts: number;
  state: "waiting" | "refused";
  reason?: string;
}

export type Outcome =
  | { kind: "delivered" }
  | { kind: "refused"; reason: string } // the server will never take it
  | { kind: "later"; after_ms?: number } // away, busy
  | { kind: "signed_out" };

export const by_order = (a: Entry, b: Entry): number => a.order - b.order;

/** The entry to send now: the oldest that waits, and only of this owner. */
export function next_entry(entries: Entry[], owner: string): Entry | undefined {
  return entries.filter((e) => e.owner === owner && e.state === "waiting").sort(by_order)[0];
}

/** Whether an entry can be taken back here: it has never been on its way, or the server said no. */
export const can_retract = (entry: Entry | undefined): boolean =>
  entry !== undefined && (entry.attempts === 0 || entry.state === "refused");

const kFirstWaitMs = 500,
  kLongestWaitMs = 30_000;
export function wait_ms(failures: number, asked_ms?: number): number {
  const own = Math.min(kLongestWaitMs, kFirstWaitMs * 2 ** Math.min(failures, 10));
  return Math.min(5 * 60_000, Math.max(own, asked_ms ?? 0));
}

/** What an answer of the server means for an entry. 4xx will not get better by asking again. */
export function outcome_of(status: number, detail: string, retry_after_ms?: number): Outcome {
  if (status >= 200 && status < 300) return { kind: "delivered" };
  if (status === 401) return { kind: "signed_out" };
  if (status === 429 || status >= 500 || status === 0 || status === 408)
    return { kind: "later", ...(retry_after_ms ? { after_ms: retry_after_ms } : {}) };
  return { kind: "refused", reason: detail };
}
