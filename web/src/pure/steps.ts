// The way of a project, in five steps that lead back: what is done, what is next, from its figures.
/** The figures of a project that shows none (people who only label do not see them). */
export const kNoCounts = { tasks: 0, done: 0, open: 0, annotations: 0, surplus: 0, skips: 0, flags: 0 };

export type StepId = "import" | "label" | "judge" | "train" | "prove";
export interface StepState {
  id: StepId;
  state: "done" | "now" | "later";
  figure: number;
}
export interface StepFacts {
  tasks: number;
  done: number;
  annotations: number;
  people?: number;
  runs: number;
  runs_done: number;
  verdicts: number;
}

const kEnoughToJudge = 10;

export function steps_of(f: StepFacts): StepState[] {
  const finished: Record<StepId, boolean> = {
    import: f.tasks > 0,
    label: f.tasks > 0 && f.done >= f.tasks,
    judge: f.annotations >= kEnoughToJudge && f.runs > 0,
    train: f.runs_done > 0,
    prove: f.verdicts > 0,
  };
  const possible: Record<StepId, boolean> = {
    import: true,
    label: f.tasks > 0,
    judge: f.annotations >= kEnoughToJudge,
    train: f.annotations >= kEnoughToJudge,
    prove: f.runs_done > 0,
  };
  const figure: Record<StepId, number> = {
    import: f.tasks,
    label: f.annotations,
    judge: f.annotations,
    train: f.runs,
    prove: f.verdicts,
  };
  const order: StepId[] = ["import", "label", "judge", "train", "prove"];
  // The step to do now: the first unfinished one that is possible and has all before it begun.
  const now = order.find((id) => !finished[id] && possible[id]);
  return order.map((id) => ({
    id,
    state: finished[id] ? "done" : id === now ? "now" : "later",
    figure: figure[id],
  }));
}
