import type { AliasTarget } from "../../api/types";

/** Each target's share of the whole. */
export function shares(targets: { weight: number }[]): number[] {
  const total = targets.reduce((sum, x) => sum + x.weight, 0);
  return targets.map((x) => (total > 0 ? x.weight / total : 0));
}

/** "polite", or "smol 90 %, polite 10 %". */
export function targets_text(targets: AliasTarget[], percent: (share: number) => string): string {
  if (targets.length === 1) return targets[0]!.model;
  return shares(targets)
    .map((share, at) => `${targets[at]!.model} ${percent(share)}`)
    .join(", ");
}
