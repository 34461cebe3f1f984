import type { Run } from "../../api/types";
import { t } from "../../messages";

/** Runs beside each other on one page. */
export const kMostCompared = 6;
export const is_live = (run: Run): boolean =>
  !["done", "failed", "cancelled"].includes(run.state) && run.finished_at === null;
const kTone: Record<string, string> = {
  better: "good",
  worse: "bad",
  "no difference shown": "",
  "too few": "warn",
};
export function VerdictBadge({ run }: { run: Run }) {
  return run.verdict ? (
    <span className={"badge " + (kTone[run.verdict] ?? "")}>
      {t.runs.verdicts[run.verdict] ?? run.verdict}
    </span>
  ) : (
    <span className="faint">–</span>
  );
}
export function StateBadge({ run }: { run: Run }) {
  return (
    <span className={"badge" + (run.state === "failed" ? " bad" : run.state === "done" ? " good" : "")}>
      {t.states[run.state] ?? run.state}
    </span>
  );
}
