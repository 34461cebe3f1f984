import { expect, it } from "vitest";
import { steps_of } from "./steps";

const states = (f: Parameters<typeof steps_of>[0]) =>
  steps_of(f)
    .map((s) => s.state)
    .join(" ");
const none = { tasks: 0, done: 0, annotations: 0, runs: 0, runs_done: 0, verdicts: 0 };
it("begins with an import and ends with a proof", () => {
  expect(states(none)).toBe("now later later later later");
  expect(states({ ...none, tasks: 5 })).toBe("done now later later later");
  expect(states({ ...none, tasks: 20, done: 20, annotations: 20 })).toBe("done done now later later");
  expect(states({ ...none, tasks: 20, done: 20, annotations: 20, runs: 1 })).toBe("done done done now later");
  expect(states({ ...none, tasks: 20, done: 20, annotations: 20, runs: 1, runs_done: 1, verdicts: 1 })).toBe(
    "done done done done done",
  );
});
it("goes back to labelling when new tasks came after a proof", () => {
  expect(states({ tasks: 30, done: 20, annotations: 20, runs: 1, runs_done: 1, verdicts: 1 })).toBe(
    "done now done done done",
  );
});
