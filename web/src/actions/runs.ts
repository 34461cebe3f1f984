// Commands of a run's completions.
import { t } from "../messages";
import type { Action } from "./action";

export interface RunContext {
  move: (by: number) => void;
}
export const run_actions: Action<RunContext>[] = [
  {
    id: "run.next",
    group: "run",
    keys: ["j", "down"],
    title: () => t.runs.next_completion,
    run: (c) => c.move(1),
  },
  {
    id: "run.previous",
    group: "run",
    keys: ["k", "up"],
    title: () => t.runs.previous_completion,
    run: (c) => c.move(-1),
  },
];
