// What people say about served answers. Texts of the conversation are kept only with consent.
import { call, url_of, type Page } from "./client";
import type { DayCounts } from "../pure/feedback_days";
import type { FeedbackDetail, FeedbackItem } from "./types";

export type Feedback =
  | { kind: "comparison"; completions: [string, string]; winner: "left" | "right" | "tie" | "both_bad" }
  | { kind: "thumbs"; completion: string; value: 1 | -1 }
  | { kind: "edit"; completion: string; text: string }
  | { kind: "report"; completion: string; reason: string; comment: string };

/** An answer that the server did not keep, as it came: it proves by its MAC that it is the server's. */
export interface SignedAnswer {
  completion: string;
  model: string;
  system_fingerprint: string;
  settings: unknown;
  messages: { role: string; content: string }[];
  text: string;
  feedback_mac: string;
}

export const send_feedback = (feedback: Feedback, consent: boolean, answers?: SignedAnswer[]) =>
  call<void>("POST", "/feedback", {
    body: { ...feedback, consent, ...(answers ? { answers } : {}) },
    idempotency_key: crypto.randomUUID(),
  });

export interface FeedbackFilter {
  kind?: string;
  verdict?: string;
  model?: string;
  consent?: string;
  from?: string;
  to?: string;
}
export const list_feedback = (filter: FeedbackFilter, after: string | null, signal?: AbortSignal) =>
  call<Page<FeedbackItem>>("GET", "/feedback", {
    query: { ...filter, after, limit: 50 },
    ...(signal ? { signal } : {}),
  });
export const get_feedback = (id: string) => call<FeedbackDetail>("GET", `/feedback/${id}`);
export const withdraw_feedback = (id: string) => call<void>("DELETE", `/feedback/${id}`);
export const feedback_export_url = (format: string) => url_of("/feedback/export", { format });

const kMostDays = 2000; // rows of a day and model
export async function list_feedback_days(days: number): Promise<DayCounts[]> {
  const rows: DayCounts[] = [];
  let after: string | null = null;
  do {
    const page: Page<DayCounts> = await call("GET", "/feedback/days", { query: { days, after, limit: 200 } });
    rows.push(...page.items);
    after = page.next;
  } while (after && rows.length < kMostDays);
  return rows;
}
