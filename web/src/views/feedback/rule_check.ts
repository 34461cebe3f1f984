// What is still missing in a rule, in words; null when it can be made.
import type { SamplingSource } from "../../api/types";
import { t } from "../../messages";

export const kPairSources: SamplingSource[] = ["compared", "edited", "judged"];

export function rule_problem(rule: {
  name: string;
  project_id: string;
  source: SamplingSource;
  share: string;
  cap: string;
  wants_two: boolean;
}): string | null {
  const share = Number(rule.share.trim() || NaN),
    cap = Number(rule.cap.trim() || NaN);
  if (!rule.name.trim()) return t.feedback.missing_name;
  if (!rule.project_id) return t.feedback.missing_project;
  if (rule.wants_two && !kPairSources.includes(rule.source)) return t.feedback.pair_hint;
  if (!(share > 0 && share <= 100)) return t.feedback.bad_share;
  if (!(Number.isInteger(cap) && cap >= 1 && cap <= 100_000)) return t.feedback.bad_cap;
  return null;
}
