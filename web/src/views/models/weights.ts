// What people wrote beside each model of a split, and what is missing or wrong in it.
import { t } from "../../messages";
import { number_of } from "../../pure/entry";
import type { Problem } from "../../ui/field";

export const kMostTargets = 8;
const kMostWeight = 1e6;

export interface Weighed {
  id: string;
  name: string;
  text: string; // empty or 0: no part of it
}
export const weight_field = (id: string): string => "weight " + id;

/** The models that take part, with their weights; what is no weight is left out. */
export const targets_of = (models: Weighed[]): { model: string; weight: number }[] =>
  models.map((m) => ({ model: m.id, weight: number_of(m.text) ?? 0 })).filter((x) => x.weight > 0);

export function split_problem(models: Weighed[], reason_wanted: boolean, reason: string): Problem | null {
  for (const { id, name, text } of models) {
    const weight = text.trim() ? number_of(text) : 0;
    if (weight === null || weight < 0 || weight > kMostWeight)
      return { field: weight_field(id), text: t.models.bad_weight(name), ask: t.models.fix_weight };
  }
  const parts = targets_of(models).length;
  if (parts < 2) {
    const empty = models.find((m) => !number_of(m.text)) ?? models[0];
    return { field: empty ? weight_field(empty.id) : "", text: t.models.missing_two };
  }
  if (parts > kMostTargets) return { field: "", text: t.models.too_many_targets(kMostTargets) };
  return reason_wanted && !reason.trim() ? { field: "reason", text: t.models.missing_reason } : null;
}
