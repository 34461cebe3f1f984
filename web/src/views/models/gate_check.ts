// What is still missing or wrong in a gate; null when it can be saved.
import { t } from "../../messages";
import { number_of } from "../../pure/entry";
import type { Problem } from "../../ui/field";

export const is_rate = (metric: string): boolean => metric.includes("accuracy");

export interface GateForm {
  heldout: string;
  items_min: string;
  second: string; // empty: no second set
  second_metric: string;
  floor: string;
}

export function gate_problem(form: GateForm): Problem | null {
  if (!form.heldout) return { field: "heldout", text: t.models.choose_set };
  const items = number_of(form.items_min);
  if (items === null || !Number.isInteger(items) || items < 0 || items > 1e9)
    return { field: "items_min", text: t.models.bad_items, ask: t.models.fix_items };
  if (!form.second) return null;
  const floor = number_of(form.floor);
  if (is_rate(form.second_metric) && (floor === null || floor < 0 || floor > 1))
    return { field: "floor", text: t.models.bad_floor_share, ask: t.models.fix_floor };
  if (floor === null || Math.abs(floor) > 1e9)
    return { field: "floor", text: t.models.bad_floor, ask: t.models.fix_floor };
  return null;
}
