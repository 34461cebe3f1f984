import { expect, it } from "vitest";
import type { FullProject } from "../../api/projects";
import type { Session } from "../../api/types";
import { next_steps } from ".";

const session = (permissions: string[], more: Partial<Session> = {}) =>
  ({
    person: { id: "u", name: "A", locale: "en" },
    permissions,
    has_password: true,
    demo_project: null,
    ...more,
  }) as unknown as Session;
const project = (id: string, counts: object, more = {}) =>
  ({
    id,
    name: "Project " + id,
    state: "open",
    task_type: "pairwise",
    counts: { tasks: 0, done: 0, open: 0, annotations: 0, ...counts },
    ...more,
  }) as unknown as FullProject;
const links = (...args: Parameters<typeof next_steps>) => next_steps(...args).map((s) => s.to);

it("sends somebody who labels to the project they began", () => {
  const a = project("a", {}, { mine: { done: 0, available: 9 } }),
    b = project("b", {}, { mine: { done: 4, available: 2 } });
  expect(links(session(["label"]), [a, b], null)).toEqual(["/projects/b/label"]);
  expect(links(session(["label"]), [project("c", {}, { mine: { done: 4, available: 0 } })], null)).toEqual(
    [],
  );
  expect(
    links(session(["label"]), [project("d", {}, { state: "paused", mine: { done: 0, available: 5 } })], null),
  ).toEqual([]);
});
it("sends a lead on: import, judge, train, invite", () => {
  const lead = session(["label", "task.import", "quality.view", "run.start", "people.manage"]);
  expect(links(lead, [project("a", {})], 1)).toEqual(["/projects/a/import", "/people"]);
  expect(links(lead, [project("a", { tasks: 30, open: 5, done: 25, annotations: 60 })], 3)).toEqual([
    "/projects/a/label",
    "/projects/a/quality",
    "/projects/a/runs/new",
  ]);
});
it("asks whoever came by a link for a password", () => {
  expect(links(session([], { has_password: false }), [], null)).toEqual(["/settings"]);
});
