// What is still missing in a rule, in words; null when it can be made.
import type { SamplingSource } from "../../api/types";
import { t } from "../../messages";
import { number_of } from "../../pure/entry";
import type { Problem } from "../../ui/field";

export const kPairSources: SamplingSource[] = ["compared", "edited", "judged"];

export function rule_problem(rule: {
  name: string;
  project_id: string;
  source: SamplingSource;
  share: string;
  cap: string;
  wants_two: boolean;
}): Problem | null {
  const share = number_of(rule.share) ?? 0,
    cap = number_of(rule.cap) ?? 0;
  if (!rule.name.trim()) return { field: "name", text: t.feedback.missing_name };
  if (!rule.project_id) return { field: "project", text: t.feedback.missing_project };
  if (rule.wants_two && !kPairSources.includes(rule.source))
    return { field: "source", text: t.feedback.missing_source };
  if (!(share > 0 && share <= 100))
    return { field: "share", text: t.feedback.bad_share, ask: t.feedback.fix_share };
  if (!(Number.isInteger(cap) && cap >= 1 && cap <= 100_000))
    return { field: "cap", text: t.feedback.bad_cap, ask: t.feedback.fix_cap };
  return null;
}
