// Routes of quality, snapshots, runs, audit and keys. Each: method, path, permission or null, handler.
import { createHash } from "node:crypto";
import { make_project, make_task, new_id } from "./data.mjs";
import { people_table, posterior, quality, ranking } from "./quality.mjs";
import { Problem } from "./rules.mjs";
import { answers_of, completions_page, items_of, labels_of, metrics_of, people_of, run_view, start_run } from "./runs.mjs";

export const results_routes = ({ world, now, tell, project_of, page, view, run_of }) => [
  ["GET", "/projects/:id/quality", "quality.view", ({ ids }) => quality(project_of(ids[0]), "/projects/" + ids[0])],
  ["GET", "/projects/:id/quality/people", "quality.view", ({ ids, query }) => page(people_table(project_of(ids[0])), query)],
  ["GET", "/projects/:id/quality/ranking", "quality.view", ({ ids }) => ranking(project_of(ids[0]))],
  [
    "GET",
    "/projects/:id/quality/next",
    "quality.view",
    ({ ids }) => ({
      items: project_of(ids[0])
        .tasks.filter((t) => t.annotations.length)
        .map((t) => ({
          task_id: t.id,
          prompt: (t.prompt ?? "").slice(0, 200),
          information: 1 - posterior(t)[0].probability,
          probability: posterior(t)[0].probability,
          annotations: t.annotations.length,
        }))
        .sort((a, b) => b.information - a.information)
        .slice(0, 20),
      simple: { more_labels: 530, tasks: 412 },
    }),
  ],
  [
    "POST",
    "/projects/:id/splits",
    "project.manage",
    ({ ids, body }) => {
      const project = project_of(ids[0]);
      if (project.split_state === "frozen") throw new Problem(409, "conflict", "The split of this project is frozen already.");
      project.tasks.forEach((t, at) => {
        t.split = at % 100 < body.heldout_fraction * 100 ? "heldout" : "train";
      });
      project.split_state = "frozen";
      return view(project, { role: "owner" }).split;
    },
  ],
  [
    "POST",
    "/projects/:id/snapshots",
    "snapshot.create",
    ({ who, ids, body }) => {
      const project = project_of(ids[0]),
        rows = project.tasks.filter((t) => t.annotations.length);
      const snapshot = {
        id: new_id("snp"),
        name: body.name,
        format: body.format ?? "preferences",
        state: "ready",
        rows_train: rows.filter((t) => t.split !== "heldout").length,
        rows_heldout: rows.filter((t) => t.split === "heldout").length,
        annotations: rows.reduce((n, t) => n + t.annotations.length, 0),
        digest: createHash("sha256").update(new_id("x")).digest("hex"),
        filter: { min_probability: body.min_probability ?? 0.5, min_annotations: body.min_annotations ?? 1 },
        created_at: now(),
        created_by: { id: who.id, name: who.name },
      };
      project.snapshots.unshift(snapshot);
      return [201, snapshot];
    },
  ],
  ["GET", "/projects/:id/snapshots", "export", ({ ids, query }) => page(project_of(ids[0]).snapshots, query)],
  [
    "GET",
    "/bases",
    null,
    () =>
      page(
        [
          { name: "SmolLM2-135M-Instruct", parameters: 134515008, file: "SmolLM2-135M-Instruct.Q4_1.gguf", fits: "fits" },
          { name: "SmolLM2-1.7B-Instruct", parameters: 1711376384, file: "SmolLM2-1.7B.gguf", fits: "too_big" },
        ],
        new URLSearchParams(),
      ),
  ],
  [
    "POST",
    "/projects/:id/runs/plan",
    "run.start",
    ({ ids, body }) => {
      const rows = project_of(ids[0]).tasks.filter((t) => t.annotations.length).length;
      return {
        rows,
        heldout_rows: Math.floor(rows / 10),
        steps: Math.ceil(rows / 8) * (body.settings?.num_train_epochs ?? 1),
        tokens: rows * 310,
        memory_bytes: 1.31e9,
        memory_limit_bytes: 6.9e9,
        seconds: rows * 0.9,
        writes: ["runs/…/adapter.safetensors", "runs/…/report.json"],
        config_digest: "9f2c41d0",
        ready: rows > 0,
        missing: rows ? [] : ["labelled pairs"],
      };
    },
  ],
  [
    "POST",
    "/projects/:id/runs",
    "run.start",
    ({ ids, body }) => {
      const run = start_run(project_of(ids[0]), body, tell);
      return [202, run_view(run)];
    },
  ],
  ["GET", "/projects/:id/runs", "run.view", ({ ids, query }) => page(project_of(ids[0]).runs.map(run_view), query)],
  ["GET", "/runs/:id", "run.view", ({ ids }) => run_view(run_of(ids[0]))],
  [
    "GET",
    "/runs/:id/metrics",
    "run.view",
    ({ ids, query }) =>
      page(
        metrics_of(run_of(ids[0])).filter((m) => m.step > Number(query.get("after_step") ?? -1)),
        query,
      ),
  ],
  ["GET", "/runs/:id/answers", "run.view", ({ ids, query }) => page(answers_of(run_of(ids[0])), query)],
  ["GET", "/runs/:id/completions", "run.view", ({ ids, query }) => completions_page(run_of(ids[0]), query)],
  ["GET", "/runs/:id/labels", "run.view", ({ ids, query }) => page(labels_of(run_of(ids[0])), query)],
  ["GET", "/runs/:id/people", "run.view", ({ ids, query }) => page(people_of(run_of(ids[0])), query)],
  ["GET", "/runs/:id/items", "run.view", ({ ids, query }) => page(items_of(run_of(ids[0])), query)],
  [
    "POST",
    "/runs/:id/cancel",
    "run.start",
    ({ ids }) => {
      run_of(ids[0]).cancelled = true;
      return [202, {}];
    },
  ],
  [
    "POST",
    "/runs/:id/compare",
    "run.start",
    ({ who, ids }) => {
      const run = run_of(ids[0]),
        project = make_project("Base against " + run.name, "pairwise");
      project.tasks = answers_of(run).map((a, at) =>
        make_task(project, { id: String(at), prompt: a.prompt, responses: [a.before, a.after], models: ["base", "tuned"] }),
      );
      world.projects.push(project);
      return [201, view(project, who)];
    },
  ],
  ["GET", "/jobs", null, ({ query }) => page(world.jobs, query)],
  [
    "GET",
    "/audit",
    "audit.view",
    ({ query }) =>
      page(
        [...world.events].reverse().filter((e) => !query.get("kind") || e.kind.startsWith(query.get("kind"))),
        query,
      ),
  ],
  ["GET", "/audit/verify", "audit.view", () => ({ events: world.events.length, intact: true, head: world.events.at(-1)?.hash ?? "" })],
  ["GET", "/tokens", null, ({ query }) => page(world.tokens, query)],
  [
    "POST",
    "/tokens",
    "token.create",
    ({ body }) => {
      const token = {
        id: new_id("key"),
        name: body.name,
        scope: body.scope ?? ["all"],
        created_at: now(),
        last_used_at: null,
        models: body.models ?? [],
        requests_per_day: body.requests_per_day ?? null,
        tokens_per_day: body.tokens_per_day ?? null,
        weight: body.weight ?? 1,
        priority: body.priority ?? 0,
        expires_at: body.expires_in_days ? new Date(Date.now() + body.expires_in_days * 864e5).toISOString() : null,
      };
      world.tokens.push(token);
      return [201, { token, secret: "hone_" + new_id("s").slice(2) }];
    },
  ],
  [
    "PATCH",
    "/tokens/:id",
    "token.manage",
    ({ ids, body }) => {
      const token = world.tokens.find((t) => t.id === ids[0]);
      if (!token) throw new Problem(404, "not_found", "There is no such token.");
      return Object.assign(token, { models: [], requests_per_day: null, tokens_per_day: null, weight: 1, priority: 0 }, body);
    },
  ],
  [
    "GET",
    "/usage",
    "token.create",
    ({ who, query }) => {
      const keys = [who.id, ...world.tokens.map((t) => t.id)];
      const days = Number(query.get("days") ?? 30);
      const rows = keys.flatMap((key, k) =>
        Array.from({ length: days }, (_, i) => i)
          .filter((i) => (i * 7 + k) % 3 !== 0)
          .map((i) => ({
            day: new Date(Date.now() - i * 864e5).toISOString().slice(0, 10),
            key_id: key,
            model: k % 2 ? "polite-2" : "assistant",
            requests: 20 + ((i * 13 + k * 5) % 40),
            prompt_tokens: 4000 + ((i * 977 + k * 311) % 6000),
            cached_tokens: 900,
            completion_tokens: 1500 + ((i * 613 + k * 97) % 3000),
          })),
      );
      return page(rows, query);
    },
  ],
  [
    "DELETE",
    "/tokens/:id",
    null,
    ({ ids }) => {
      world.tokens = world.tokens.filter((t) => t.id !== ids[0]);
      return [204];
    },
  ],
];
