import { ask, call } from "./client";
import type { Answer, Assignment, Mine, Submitted } from "./types";

export type NoTask = "none-left" | "all-yours-done" | "paused" | "not-qualified";

/** Up to `count` tasks, or why there is none. */
export async function next_tasks(
  project_id: string,
  count: number,
): Promise<{ list: Assignment[]; reason: NoTask | null }> {
  const reply = await ask<Assignment | Assignment[] | undefined>("POST", `/projects/${project_id}/next`, {
    body: { count },
  });
  if (reply.status === 204 || !reply.data)
    return { list: [], reason: (reply.headers.get("X-Hone-Reason") as NoTask | null) ?? "none-left" };
  return { list: Array.isArray(reply.data) ? reply.data : [reply.data], reason: null };
}
export const submit_answer = (
  assignment_id: string,
  body: { answer: Answer; rationale?: string; active_ms?: number },
  idempotency_key: string,
) => ask<Submitted>("PUT", `/assignments/${assignment_id}/annotation`, { body, idempotency_key });
export const skip_task = (
  assignment_id: string,
  body: { reason: string; comment?: string },
  idempotency_key: string,
) => ask<void>("POST", `/assignments/${assignment_id}/skip`, { body, idempotency_key });
export const flag_task = (
  assignment_id: string,
  body: { reason: string; comment?: string },
  idempotency_key: string,
) => ask<void>("POST", `/assignments/${assignment_id}/flag`, { body, idempotency_key });
export const undo_answer = (assignment_id: string, idempotency_key: string) =>
  ask<Assignment>("POST", `/assignments/${assignment_id}/undo`, { body: {}, idempotency_key });
export const save_draft = (assignment_id: string, draft: unknown) =>
  call<void>("PUT", `/assignments/${assignment_id}/draft`, { body: { draft } });
export const heartbeat = (assignment_id: string) =>
  call<{ lease_expires_at: string }>("POST", `/assignments/${assignment_id}/heartbeat`, { body: {} });
export const release = (assignment_id: string) =>
  call<void>("POST", `/assignments/${assignment_id}/release`, { body: {}, keepalive: true });
export const get_mine = (project_id: string) => call<Mine>("GET", `/projects/${project_id}/mine`);
