// The outbox of the person who is signed in, over the real requests. Another person or organisation
// gets another one; entries of the first stay where they are until they come back.
import { ApiError } from "../api/client";
import { flag_task, skip_task, submit_answer, undo_answer } from "../api/labelling";
import type { Answer, Session } from "../api/types";
import { outcome_of, type Entry } from "../pure/outbox_queue";
import { Outbox, type Sent } from "./outbox";
import { open_store } from "./outbox_store";

async function send(entry: Entry): Promise<Sent> {
  try {
    const id = entry.assignment_id;
    switch (entry.kind) {
      case "annotation":
        return {
          kind: "delivered",
          data: (await submit_answer(id, entry.body as { answer: Answer }, entry.id)).data,
        };
      case "skip":
        await skip_task(id, entry.body as { reason: string }, entry.id);
        break;
      case "flag":
        await flag_task(id, entry.body as { reason: string }, entry.id);
        break;
      case "undo":
        await undo_answer(id, entry.id);
        break;
    }
    return { kind: "delivered" };
  } catch (error) {
    if (error instanceof ApiError) return outcome_of(error.status, error.message, error.retry_after_ms);
    return { kind: "later" };
  }
}

let now: { owner: string; outbox: Promise<Outbox> } | null = null;
const sent_listeners = new Set<(entry: Entry, outcome: Sent) => void>();
export const on_sent = (listener: (entry: Entry, outcome: Sent) => void): (() => void) => {
  sent_listeners.add(listener);
  return () => sent_listeners.delete(listener);
};

export function outbox_of(session: Session): Promise<Outbox> {
  const owner = session.person.id + ":" + session.organisation.id;
  if (now?.owner === owner) return now.outbox;
  void now?.outbox.then((o) => o.stop());
  const outbox = open_store().then((store) => {
    const made = new Outbox({
      store,
      owner,
      send,
      on_sent: (entry, outcome) => {
        for (const listener of sent_listeners) listener(entry, outcome);
      },
    });
    void made.start();
    return made;
  });
  now = { owner, outbox };
  return outbox;
}
export function forget_outbox(): void {
  void now?.outbox.then((o) => o.stop());
  now = null;
}
