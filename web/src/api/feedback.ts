// What people say about served answers. Texts of the conversation are kept only with consent.
import { call } from "./client";

export type Feedback =
  | { kind: "comparison"; completions: [string, string]; winner: "left" | "right" | "tie" | "both_bad" }
  | { kind: "thumbs"; completion: string; value: 1 | -1 }
  | { kind: "edit"; completion: string; text: string }
  | { kind: "report"; completion: string; reason: string; comment: string };

export const send_feedback = (feedback: Feedback, consent: boolean) =>
  call<void>("POST", "/feedback", { body: { ...feedback, consent }, idempotency_key: crypto.randomUUID() });
