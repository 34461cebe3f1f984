// Routes of tasks and labelling. Each: method, path, permission or null, handler.
import { new_id } from "./data.mjs";
import { posterior } from "./quality.mjs";
import { Problem, not_found } from "./rules.mjs";

export const labelling_routes = ({ world, now, project_of, mine, item, assignment_view, lease, validate, finish, own, assignments }) => [
  [
    "GET",
    "/projects/:id/tasks",
    "task.view",
    ({ ids, query }) => {
      const q = (query.get("q") ?? "").toLowerCase(),
        state = query.get("state"),
        split = query.get("split"),
        sort = query.get("sort") ?? "new";
      let tasks = project_of(ids[0]).tasks.filter(
        (t) =>
          (!q || (t.prompt ?? "").toLowerCase().includes(q)) &&
          (!state || t.state === state) &&
          (!split || t.split === split) &&
          (query.get("flagged") !== "true" || t.flags.length),
      );
      if (sort !== "new") tasks = [...tasks].sort((a, b) => (item(a).probability ?? 0) - (item(b).probability ?? 0));
      const from = Number(query.get("after") ?? 0),
        limit = Math.min(200, Number(query.get("limit") ?? 50));
      return { items: tasks.slice(from, from + limit).map(item), next: from + limit < tasks.length ? String(from + limit) : null };
    },
  ],
  [
    "GET",
    "/tasks/:id",
    "task.view",
    ({ ids }) => {
      const task = world.projects.flatMap((p) => p.tasks).find((t) => t.id === ids[0]);
      if (!task) throw not_found("task");
      return {
        ...item(task),
        body: { prompt: task.prompt, responses: task.responses, messages: task.messages?.map((m, index) => ({ index, ...m })), meta: task.meta },
        posterior: task.annotations.length ? posterior(task) : [],
        flags: task.flags,
        gold: task.gold,
        annotations: task.annotations.map((a) => ({ ...a, person: { id: a.person.id, name: a.person.name } })),
      };
    },
  ],
  [
    "PATCH",
    "/tasks/:id",
    "task.manage",
    ({ ids, body }) => {
      const task = world.projects.flatMap((p) => p.tasks).find((t) => t.id === ids[0]);
      return item(Object.assign(task, body));
    },
  ],
  [
    "POST",
    "/projects/:id/next",
    "label",
    ({ who, ids, body }) => {
      const count = body?.count ?? 1,
        list = lease(project_of(ids[0]), who, count);
      if (!list.length) return [204, null, { "X-Hone-Reason": mine(project_of(ids[0]), who).done ? "all-yours-done" : "none-left" }];
      return count > 1 ? list.map(assignment_view) : assignment_view(list[0]);
    },
  ],
  ["GET", "/assignments/:id", "label", ({ who, ids }) => assignment_view(own(ids[0], who))],
  [
    "PUT",
    "/assignments/:id/annotation",
    "label",
    ({ who, ids, body }) => {
      const a = own(ids[0], who),
        task = a.task;
      validate(task.project, task, body.answer);
      if (a.state === "done") throw new Problem(409, "conflict", "This task already has your answer. Undo it first.");
      Object.assign(a, { state: "done", answer: body.answer });
      task.lease = null;
      const annotation = {
        id: new_id("ann"),
        assignment: a.id,
        person: who,
        status: "valid",
        answer: body.answer,
        rationale: body.rationale ?? "",
        active_ms: body.active_ms ?? 0,
        created_at: now(),
        guideline_version: task.project.guidelines.length,
      };
      task.annotations.push(annotation);
      finish(task);
      return [201, { annotation_id: annotation.id, status: "valid", done_by_me: mine(task.project, who).done }];
    },
  ],
  [
    "PUT",
    "/assignments/:id/draft",
    "label",
    ({ who, ids, body }) => {
      own(ids[0], who).draft = body.draft;
      return [204];
    },
  ],
  [
    "POST",
    "/assignments/:id/heartbeat",
    "label",
    ({ who, ids }) => {
      const a = own(ids[0], who);
      a.expires = Date.now() + 9e5;
      return { lease_expires_at: new Date(a.expires).toISOString() };
    },
  ],
  [
    "POST",
    "/assignments/:id/skip",
    "label",
    ({ who, ids }) => {
      const a = own(ids[0], who);
      a.state = "skipped";
      a.task.lease = null;
      (a.task.skipped ??= new Set()).add(who.id);
      return [204];
    },
  ],
  [
    "POST",
    "/assignments/:id/flag",
    "label",
    ({ who, ids, body }) => {
      own(ids[0], who).task.flags.push({ id: new_id("flg"), person: { id: who.id, name: who.name }, ...body, state: "open", created_at: now() });
      return [204];
    },
  ],
  [
    "POST",
    "/assignments/:id/undo",
    "label",
    ({ who, ids }) => {
      const a = own(ids[0], who),
        task = a.task;
      task.annotations = task.annotations.filter((x) => x.assignment !== a.id);
      task.skipped?.delete(who.id);
      Object.assign(a, { state: "leased", expires: Date.now() + 9e5 });
      Object.assign(task, { state: "open", lease: who.id });
      return assignment_view(a);
    },
  ],
  [
    "POST",
    "/assignments/:id/release",
    "label",
    ({ who, ids }) => {
      const a = own(ids[0], who);
      if (a.state === "leased") {
        assignments.delete(a.id);
        a.task.lease = null;
      }
      return [204];
    },
  ],
  [
    "GET",
    "/projects/:id/mine",
    "label",
    ({ who, ids }) => {
      const project = project_of(ids[0]),
        all = project.tasks.flatMap((t) => t.annotations.filter((a) => a.person.id === who.id).map((a) => ({ t, a })));
      return {
        ...mine(project, who),
        done_today: all.length,
        minutes_today: Math.round(all.reduce((n, { a }) => n + a.active_ms, 0) / 60000),
        recent: all
          .slice(-20)
          .reverse()
          .map(({ t, a }) => ({
            assignment_id: a.assignment,
            task_id: t.id,
            prompt: (t.prompt ?? "").slice(0, 200),
            answer: a.answer,
            status: a.status,
            created_at: a.created_at,
            can_undo: true,
          })),
        guideline_version: project.guidelines.length,
      };
    },
  ],
];
