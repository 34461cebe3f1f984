// A small in-memory stand-in for `hone up`, for development and for the unit tests of the page: the
// routes of docs/api.md over the world of data.mjs. `node dev/server.mjs [--port 8787] [--dist dist]`
// prints the address and the sign-in links. The end-to-end tests in CI use the real program.
import { createServer } from "node:http";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { extname, join, normalize } from "node:path";
import { pathToFileURL } from "node:url";
import { builtin_schemas, make_project, make_task, make_world, new_id } from "./data.mjs";
import { people_table, posterior, quality, ranking } from "./quality.mjs";
import { start_run, run_view, demo_run, metrics_of, answers_of, items_of } from "./runs.mjs";

const rights = {
  owner: ["organisation.manage", "people.manage", "people.view", "project.create", "project.manage", "project.view", "task.import", "task.view",
    "task.manage", "label", "quality.view", "export", "snapshot.create", "run.start", "run.view", "audit.view", "token.create", "token.manage"],
  reviewer: ["people.view", "project.view", "task.view", "task.manage", "label", "quality.view", "run.view", "token.create"],
  annotator: ["project.view", "label", "token.create"],
  viewer: ["project.view", "task.view", "quality.view", "export", "run.view", "token.create"],
};
rights.manager = rights.owner.filter((r) => r !== "organisation.manage");

class Problem extends Error {
  constructor(status, code, detail, field) { super(detail); Object.assign(this, { status, code, field }); }
}
const not_found = (what) => new Problem(404, "not_found", `There is no such ${what}.`);

export function make_app({ dist } = {}) {
  const world = make_world();
  demo_run(world.projects[0]);
  const sessions = new Map(), links = new Map(), replies = new Map(), assignments = new Map(), listeners = new Set();
  for (const p of world.people) links.set(p.token, { person: p, again: true });
  const everybody = () => [...world.people, ...world.workers];
  const now = () => new Date().toISOString();
  const tell = (type, data) => { for (const res of listeners) res.write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`); };
  const log = (who, kind, object, from, to) => {
    const previous = world.events.at(-1)?.hash ?? "";
    const event = { id: new_id("evt"), at: now(), actor: { id: who.id, name: who.name }, kind, object, from, to, data: {} };
    event.hash = createHash("sha256").update(previous + JSON.stringify(event)).digest("hex");
    world.events.push(event);
  };
  const need = (who, right) => { if (!rights[who.role].includes(right)) throw new Problem(403, "forbidden", "Your role does not allow this. Ask a manager."); };
  const project_of = (id) => world.projects.find((p) => p.id === id) ?? (() => { throw not_found("project"); })();
  const page = (items, query) => {
    const limit = Math.min(200, Number(query.get("limit") ?? 50)), from = Number(query.get("after") ?? 0);
    return { items: items.slice(from, from + limit), next: from + limit < items.length ? String(from + limit) : null };
  };
  const mine = (project, who) => {
    const done = project.tasks.filter((t) => t.annotations.some((a) => a.person.id === who.id));
    return { done: done.length, available: project.tasks.filter((t) => can_take(t, who)).length };
  };
  const wanted = (task) => task.project.overlap;
  const can_take = (task, who) => task.state === "open" && task.annotations.filter((a) => a.status === "valid").length < wanted(task) &&
    !task.annotations.some((a) => a.person.id === who.id) && !task.skipped?.has(who.id) && (!task.lease || task.lease === who.id);
  const view = (project, who) => {
    const { tasks, guidelines, schemas, people, imports, snapshots, runs, version, ...rest } = project;
    const count = (s) => tasks.filter((t) => t.split === s).length;
    return { ...rest, adaptive: rest.overlap_max > rest.overlap, guideline_version: guidelines.length, schema_version: schemas.length,
      split: { train: count("train"), heldout: count("heldout"), none: count("none") },
      counts: { tasks: tasks.length, done: tasks.filter((t) => t.state === "done").length, open: tasks.filter((t) => t.state === "open").length,
        annotations: tasks.reduce((n, t) => n + t.annotations.length, 0), surplus: 0,
        skips: tasks.reduce((n, t) => n + (t.skipped?.size ?? 0), 0), flags: tasks.reduce((n, t) => n + t.flags.length, 0) },
      ...(who.role === "annotator" ? { mine: mine(project, who) } : {}) };
  };
  const session = (who) => ({ person: { id: who.id, name: who.name, locale: "en" },
    organisation: { id: world.organisation.id, name: world.organisation.name }, role: who.role, permissions: rights[who.role],
    csrf_token: "dev", organisations: [{ id: world.organisation.id, name: world.organisation.name, role: who.role }],
    version: "development", has_password: Boolean(who.password), demo_project: world.projects[0].id });
  const item = (task) => {
    const best = task.annotations.length ? posterior(task)[0] : null;
    return { id: task.id, state: task.state, priority: task.priority, split: task.split,
      prompt: (task.prompt ?? task.messages?.[0]?.content ?? "").slice(0, 200), annotations: task.annotations.length, wanted: wanted(task),
      answer: best?.answer ?? null, probability: best?.probability ?? null, flagged: task.flags.length > 0, is_gold: Boolean(task.gold), created_at: task.created_at };
  };
  const assignment_view = (a) => {
    const { prompt, responses, messages } = a.task;
    return { assignment_id: a.id, task_id: a.task.id, project_id: a.task.project.id,
      task: { prompt, responses: a.order.map((at) => ({ response_id: responses[at].response_id, text: responses[at].text })),
        ...(messages ? { messages: messages.map((m, index) => ({ index, ...m })) } : {}) },
      lease_expires_at: new Date(a.expires).toISOString(), guideline_version: a.task.project.guidelines.length,
      schema_version: a.task.project.schemas.length, draft: a.draft, answer: a.answer };
  };
  const lease = (project, who, count) => {
    const held = [...assignments.values()].filter((a) => a.who === who.id && a.state === "leased" && a.task.project === project);
    for (const task of project.tasks) {
      if (held.length >= count) break;
      if (!can_take(task, who) || held.some((a) => a.task === task)) continue;
      const order = task.responses.map((_, at) => at);
      if (order.length === 2 && Math.random() < 0.5) order.reverse();
      const a = { id: new_id("asn"), task, who: who.id, order, state: "leased", expires: Date.now() + project.lease_seconds * 1000, draft: null, answer: null };
      task.lease = who.id;
      assignments.set(a.id, a);
      held.push(a);
    }
    return held.slice(0, count);
  };
  const validate = (project, task, answer) => {
    if (!answer || typeof answer !== "object" || !Object.keys(answer).length) throw new Problem(400, "invalid_input", "The answer is empty. Choose one.", "answer");
    for (const q of project.schemas.at(-1).questions) {
      if (q.required !== false && answer[q.name] === undefined) throw new Problem(400, "invalid_input", `"${q.title}" has no answer yet.`, "answer." + q.name);
    }
    if (typeof answer.winner === "string" && ["left", "right"].includes(answer.winner)) throw new Problem(400, "invalid_input", "name the response");
  };
  const finish = (task) => { if (task.annotations.filter((a) => a.status === "valid").length >= wanted(task)) task.state = "done"; };

  // method, path, permission or null, handler({ who, query, body, text, ids })
  const routes = [
    ["GET", "/people", "people.view", ({ query }) => page(everybody().filter((p) => p.name.toLowerCase().includes((query.get("q") ?? "").toLowerCase()))
      .map(({ token, password, ...p }) => p), query)],
    ["POST", "/people", "people.manage", ({ who, body }) => {
      if (!body.name?.trim()) throw new Problem(400, "invalid_input", "A person needs a name.", "name");
      const person = { id: new_id("usr"), pseudonym: "Person " + (everybody().length + 1), skills: [], languages: [], paused: false, created_at: now(), last_seen_at: null, annotations: 0, ...body };
      world.people.push(person);
      log(who, "person.add", person.id, null, body.role);
      return [201, { person, sign_in_link: link_for(person) }];
    }],
    ["POST", "/people/import", "people.manage", ({ text }) => {
      const lines = text.trim().split("\n"), made = [], errors = [];
      lines.slice(1).forEach((line, at) => {
        const [name, email, role, skills = "", languages = ""] = line.split(",");
        if (!rights[role]) return errors.push({ line: at + 2, reason: `"${role ?? ""}" is no role` });
        const person = { id: new_id("usr"), name, email, role, pseudonym: name, skills: skills.split(";").filter(Boolean), languages: languages.split(";").filter(Boolean),
          paused: false, created_at: now(), last_seen_at: null, annotations: 0 };
        world.people.push(person);
        made.push({ person, sign_in_link: link_for(person) });
      });
      return { created: made.length, errors, people: made };
    }],
    ["PATCH", "/people/:id", "people.manage", ({ who, ids, body }) => {
      const person = everybody().find((p) => p.id === ids[0]);
      if (!person) throw not_found("person");
      log(who, "person.change", person.id, person.role, body.role ?? person.role);
      return Object.assign(person, body);
    }],
    ["DELETE", "/people/:id", "people.manage", ({ ids }) => { world.people = world.people.filter((p) => p.id !== ids[0]); return [204]; }],
    ["POST", "/people/:id/link", "people.manage", ({ ids }) => ({ sign_in_link: link_for(everybody().find((p) => p.id === ids[0])) })],
    ["GET", "/invitations", "people.view", ({ query }) => page(world.invitations, query)],
    ["POST", "/invitations", "people.manage", ({ body }) => {
      const invitation = { id: new_id("inv"), name: null, email: null, ...body, created_at: now(), expires_at: new Date(Date.now() + 7 * 864e5).toISOString(), state: "open" };
      world.invitations.push(invitation);
      links.set(invitation.id, { invitation });
      return [201, { invitation, link: "/invitation#token=" + invitation.id }];
    }],
    ["DELETE", "/invitations/:id", "people.manage", ({ ids }) => { world.invitations = world.invitations.filter((i) => i.id !== ids[0]); return [204]; }],
    ["GET", "/organisation", null, () => ({ ...world.organisation, people: everybody().length, projects: world.projects.length })],
    ["PATCH", "/organisation", "organisation.manage", ({ body }) => Object.assign(world.organisation, body)],
    ["GET", "/projects", "project.view", ({ who, query }) => page(world.projects.map((p) => ({ ...view(p, who), ...(rights[who.role].includes("label") ? { mine: mine(p, who) } : {}) })), query)],
    ["POST", "/projects", "project.create", ({ who, body }) => {
      const { guideline, schema, ...more } = body;
      if (!body.name?.trim()) throw new Problem(400, "invalid_input", "A project needs a name.", "name");
      const project = make_project(body.name, body.task_type, { created_at: now(), overlap_max: more.overlap ?? 1, ...more });
      if (guideline) project.guidelines.push({ version: 1, body: guideline, created_at: now(), created_by: { id: who.id, name: who.name } });
      if (schema) project.schemas = [schema];
      world.projects.push(project);
      log(who, "project.create", project.id, null, "open");
      return [201, view(project, who)];
    }],
    ["GET", "/projects/:id", "project.view", ({ who, ids }) => view(project_of(ids[0]), who)],
    ["PATCH", "/projects/:id", "project.manage", ({ who, ids, body }) => {
      const project = project_of(ids[0]);
      log(who, "project.change", project.id, null, Object.keys(body).join(", "));
      Object.assign(project, body, { version: project.version + 1 });
      return view(project, who);
    }],
    ["GET", "/projects/:id/guideline", "project.view", ({ ids, query }) => {
      const list = project_of(ids[0]).guidelines, version = Number(query.get("version") ?? list.length), one = list[version - 1];
      return { ...(one ?? { version: 0, body: "", created_by: null, created_at: null }), versions: list.map(({ body, ...v }) => v) };
    }],
    ["POST", "/projects/:id/guideline", "project.manage", ({ who, ids, body }) => {
      const list = project_of(ids[0]).guidelines;
      list.push({ version: list.length + 1, body: body.body, created_at: now(), created_by: { id: who.id, name: who.name } });
      return { ...list.at(-1), versions: list.map(({ body: _, ...v }) => v) };
    }],
    ["GET", "/projects/:id/schema", "project.view", ({ ids }) => ({ version: project_of(ids[0]).schemas.length, schema: project_of(ids[0]).schemas.at(-1) })],
    ["POST", "/projects/:id/schema", "project.manage", ({ ids, body }) => {
      const project = project_of(ids[0]);
      project.schemas.push(body.schema);
      return { version: project.schemas.length, schema: body.schema };
    }],
    ["POST", "/schemas/validate", null, ({ body }) => {
      if (!Array.isArray(body.schema?.questions)) throw new Problem(400, "invalid_input", "A schema needs a list of questions.", "/questions");
      return { valid: true, schema: body.schema };
    }],
    ["GET", "/schemas", null, () => ({ items: Object.values(builtin_schemas), next: null })],
    ["GET", "/projects/:id/people", "project.view", ({ ids }) => ({ people: project_of(ids[0]).people })],
    ["PUT", "/projects/:id/people", "project.manage", ({ ids, body }) => { project_of(ids[0]).people = body.people; return { people: body.people }; }],
    ["POST", "/projects/:id/import/preview", "task.import", ({ text, query }) => {
      const format = (query.get("name") ?? "").endsWith(".csv") ? "csv" : "jsonl";
      const rows = parse_rows(text, format, 5);
      const names = Object.keys(rows[0]?.row ?? {});
      const guess = (n) => ({ question: "prompt", a: "left", b: "right", chosen: "left", rejected: "right" }[n] ?? (["prompt", "left", "right", "response", "responses", "messages", "models", "id", "language", "priority", "gold", "winner", "worker"].includes(n) ? n : "meta"));
      return { format, columns: names.map((name) => ({ name, role: guess(name), guessed_from: "name", samples: rows.slice(0, 3).map((r) => String(typeof r.row[name] === "object" ? JSON.stringify(r.row[name]) : r.row[name]).slice(0, 120)) })),
        rows: rows.filter((r) => r.row).map(({ row }) => ({ prompt: row.prompt ?? row.question ?? "", responses: row.responses ?? [row.left ?? row.a ?? row.chosen, row.right ?? row.b ?? row.rejected].filter(Boolean) })),
        problems: rows.filter((r) => r.reason).map(({ line, reason }) => ({ line, reason })), message: "" };
    }],
    ["POST", "/projects/:id/import", "task.import", ({ who, ids, text, query }) => {
      const project = project_of(ids[0]), columns = JSON.parse(query.get("columns") ?? "{}");
      const rows = parse_rows(text, query.get("format") ?? "jsonl", Infinity);
      const seen = new Set(project.tasks.map((t) => t.prompt + "\n" + t.responses.map((r) => r.text).join("\n")));
      let created = 0, duplicates = 0;
      const errors = [];
      for (const { line, row, reason } of rows) {
        if (reason) { errors.push({ line, reason }); continue; }
        const named = Object.fromEntries(Object.entries(row).map(([n, v]) => [columns[n] ?? n, v]));
        const responses = (named.responses ?? [named.left, named.right, named.response].filter((v) => v !== undefined)).map((r) => r.text ?? r);
        if (!named.prompt && !named.messages) { errors.push({ line, reason: "no prompt" }); continue; }
        const mark = named.prompt + "\n" + responses.join("\n");
        if (seen.has(mark)) { duplicates++; continue; }
        seen.add(mark);
        created++;
        project.tasks.push(make_task(project, { id: String(line), prompt: named.prompt, messages: named.messages, responses }));
      }
      const one = { id: new_id("imp"), import_id: null, name: query.get("name"), format: query.get("format"), state: "done", rows: rows.length, created, duplicates,
        errors: errors.length, first_errors: errors.slice(0, 20), created_at: now(), finished_at: now() };
      one.import_id = one.id;
      project.imports.unshift(one);
      log(who, "import", project.id, null, String(created));
      return one;
    }],
    ["GET", "/projects/:id/imports", "task.import", ({ ids, query }) => page(project_of(ids[0]).imports, query)],
    ["GET", "/projects/:id/tasks", "task.view", ({ ids, query }) => {
      const q = (query.get("q") ?? "").toLowerCase(), state = query.get("state"), split = query.get("split"), sort = query.get("sort") ?? "new";
      let tasks = project_of(ids[0]).tasks.filter((t) => (!q || (t.prompt ?? "").toLowerCase().includes(q)) && (!state || t.state === state) &&
        (!split || t.split === split) && (query.get("flagged") !== "true" || t.flags.length));
      if (sort !== "new") tasks = [...tasks].sort((a, b) => (item(a).probability ?? 0) - (item(b).probability ?? 0));
      const from = Number(query.get("after") ?? 0), limit = Math.min(200, Number(query.get("limit") ?? 50));
      return { items: tasks.slice(from, from + limit).map(item), next: from + limit < tasks.length ? String(from + limit) : null };
    }],
    ["GET", "/tasks/:id", "task.view", ({ ids }) => {
      const task = world.projects.flatMap((p) => p.tasks).find((t) => t.id === ids[0]);
      if (!task) throw not_found("task");
      return { ...item(task), body: { prompt: task.prompt, responses: task.responses, messages: task.messages?.map((m, index) => ({ index, ...m })), meta: task.meta },
        posterior: task.annotations.length ? posterior(task) : [], flags: task.flags, gold: task.gold,
        annotations: task.annotations.map((a) => ({ ...a, person: { id: a.person.id, name: a.person.name } })) };
    }],
    ["PATCH", "/tasks/:id", "task.manage", ({ ids, body }) => {
      const task = world.projects.flatMap((p) => p.tasks).find((t) => t.id === ids[0]);
      return item(Object.assign(task, body));
    }],
    ["POST", "/projects/:id/next", "label", ({ who, ids, body }) => {
      const count = body?.count ?? 1, list = lease(project_of(ids[0]), who, count);
      if (!list.length) return [204, null, { "X-Hone-Reason": mine(project_of(ids[0]), who).done ? "all-yours-done" : "none-left" }];
      return count > 1 ? list.map(assignment_view) : assignment_view(list[0]);
    }],
    ["GET", "/assignments/:id", "label", ({ who, ids }) => assignment_view(own(ids[0], who))],
    ["PUT", "/assignments/:id/annotation", "label", ({ who, ids, body }) => {
      const a = own(ids[0], who), task = a.task;
      validate(task.project, task, body.answer);
      if (a.state === "done") throw new Problem(409, "conflict", "This task already has your answer. Undo it first.");
      Object.assign(a, { state: "done", answer: body.answer });
      task.lease = null;
      const annotation = { id: new_id("ann"), assignment: a.id, person: who, status: "valid", answer: body.answer, rationale: body.rationale ?? "", active_ms: body.active_ms ?? 0, created_at: now(), guideline_version: task.project.guidelines.length };
      task.annotations.push(annotation);
      finish(task);
      return [201, { annotation_id: annotation.id, status: "valid", done_by_me: mine(task.project, who).done }];
    }],
    ["PUT", "/assignments/:id/draft", "label", ({ who, ids, body }) => { own(ids[0], who).draft = body.draft; return [204]; }],
    ["POST", "/assignments/:id/heartbeat", "label", ({ who, ids }) => { const a = own(ids[0], who); a.expires = Date.now() + 9e5; return { lease_expires_at: new Date(a.expires).toISOString() }; }],
    ["POST", "/assignments/:id/skip", "label", ({ who, ids }) => { const a = own(ids[0], who); a.state = "skipped"; a.task.lease = null; (a.task.skipped ??= new Set()).add(who.id); return [204]; }],
    ["POST", "/assignments/:id/flag", "label", ({ who, ids, body }) => { own(ids[0], who).task.flags.push({ id: new_id("flg"), person: { id: who.id, name: who.name }, ...body, state: "open", created_at: now() }); return [204]; }],
    ["POST", "/assignments/:id/undo", "label", ({ who, ids }) => {
      const a = own(ids[0], who), task = a.task;
      task.annotations = task.annotations.filter((x) => x.assignment !== a.id);
      task.skipped?.delete(who.id);
      Object.assign(a, { state: "leased", expires: Date.now() + 9e5 });
      Object.assign(task, { state: "open", lease: who.id });
      return assignment_view(a);
    }],
    ["POST", "/assignments/:id/release", "label", ({ who, ids }) => { const a = own(ids[0], who); if (a.state === "leased") { assignments.delete(a.id); a.task.lease = null; } return [204]; }],
    ["GET", "/projects/:id/mine", "label", ({ who, ids }) => {
      const project = project_of(ids[0]), all = project.tasks.flatMap((t) => t.annotations.filter((a) => a.person.id === who.id).map((a) => ({ t, a })));
      return { ...mine(project, who), done_today: all.length, minutes_today: Math.round(all.reduce((n, { a }) => n + a.active_ms, 0) / 60000),
        recent: all.slice(-20).reverse().map(({ t, a }) => ({ assignment_id: a.assignment, task_id: t.id, prompt: (t.prompt ?? "").slice(0, 200), answer: a.answer, status: a.status, created_at: a.created_at, can_undo: true })),
        guideline_version: project.guidelines.length };
    }],
    ["GET", "/projects/:id/quality", "quality.view", ({ ids }) => quality(project_of(ids[0]), "/projects/" + ids[0])],
    ["GET", "/projects/:id/quality/people", "quality.view", ({ ids, query }) => page(people_table(project_of(ids[0])), query)],
    ["GET", "/projects/:id/quality/ranking", "quality.view", ({ ids }) => ranking(project_of(ids[0]))],
    ["GET", "/projects/:id/quality/next", "quality.view", ({ ids }) => ({ items: project_of(ids[0]).tasks.filter((t) => t.annotations.length).map((t) => ({ task_id: t.id, prompt: (t.prompt ?? "").slice(0, 200), information: 1 - posterior(t)[0].probability, probability: posterior(t)[0].probability, annotations: t.annotations.length }))
      .sort((a, b) => b.information - a.information).slice(0, 20), simple: { more_labels: 530, tasks: 412 } })],
    ["POST", "/projects/:id/splits", "project.manage", ({ ids, body }) => {
      const project = project_of(ids[0]);
      if (project.split_state === "frozen") throw new Problem(409, "conflict", "The split of this project is frozen already.");
      project.tasks.forEach((t, at) => { t.split = at % 100 < body.heldout_fraction * 100 ? "heldout" : "train"; });
      project.split_state = "frozen";
      return view(project, { role: "owner" }).split;
    }],
    ["POST", "/projects/:id/snapshots", "snapshot.create", ({ who, ids, body }) => {
      const project = project_of(ids[0]), rows = project.tasks.filter((t) => t.annotations.length);
      const snapshot = { id: new_id("snp"), name: body.name, format: body.format ?? "preferences", state: "ready", rows_train: rows.filter((t) => t.split !== "heldout").length, rows_heldout: rows.filter((t) => t.split === "heldout").length,
        annotations: rows.reduce((n, t) => n + t.annotations.length, 0), digest: createHash("sha256").update(new_id("x")).digest("hex"), filter: { min_probability: body.min_probability ?? 0.5, min_annotations: body.min_annotations ?? 1 }, created_at: now(), created_by: { id: who.id, name: who.name } };
      project.snapshots.unshift(snapshot);
      return [201, snapshot];
    }],
    ["GET", "/projects/:id/snapshots", "export", ({ ids, query }) => page(project_of(ids[0]).snapshots, query)],
    ["GET", "/models", null, () => page([{ name: "SmolLM2-135M-Instruct", parameters: 134515008, file: "SmolLM2-135M-Instruct.Q4_1.gguf", fits: "fits" }, { name: "SmolLM2-1.7B-Instruct", parameters: 1711376384, file: "SmolLM2-1.7B.gguf", fits: "too_big" }], new URLSearchParams())],
    ["POST", "/projects/:id/runs/plan", "run.start", ({ ids, body }) => {
      const rows = project_of(ids[0]).tasks.filter((t) => t.annotations.length).length;
      return { rows, heldout_rows: Math.floor(rows / 10), steps: Math.ceil(rows / 8) * (body.settings?.num_train_epochs ?? 1), tokens: rows * 310, memory_bytes: 1.31e9, memory_limit_bytes: 6.9e9, seconds: rows * 0.9,
        writes: ["runs/…/adapter.safetensors", "runs/…/report.json"], config_digest: "9f2c41d0", ready: rows > 0, missing: rows ? [] : ["labelled pairs"] };
    }],
    ["POST", "/projects/:id/runs", "run.start", ({ ids, body }) => { const run = start_run(project_of(ids[0]), body, tell); return [202, run_view(run)]; }],
    ["GET", "/projects/:id/runs", "run.view", ({ ids, query }) => page(project_of(ids[0]).runs.map(run_view), query)],
    ["GET", "/runs/:id", "run.view", ({ ids }) => run_view(run_of(ids[0]))],
    ["GET", "/runs/:id/metrics", "run.view", ({ ids, query }) => page(metrics_of(run_of(ids[0])).filter((m) => m.step > Number(query.get("after_step") ?? -1)), query)],
    ["GET", "/runs/:id/answers", "run.view", ({ ids, query }) => page(answers_of(run_of(ids[0])), query)],
    ["GET", "/runs/:id/items", "run.view", ({ ids, query }) => page(items_of(run_of(ids[0])), query)],
    ["POST", "/runs/:id/cancel", "run.start", ({ ids }) => { run_of(ids[0]).cancelled = true; return [202, {}]; }],
    ["POST", "/runs/:id/compare", "run.start", ({ who, ids }) => {
      const run = run_of(ids[0]), project = make_project("Base against " + run.name, "pairwise");
      project.tasks = answers_of(run).map((a, at) => make_task(project, { id: String(at), prompt: a.prompt, responses: [a.before, a.after], models: ["base", "tuned"] }));
      world.projects.push(project);
      return [201, view(project, who)];
    }],
    ["GET", "/jobs", null, ({ query }) => page(world.jobs, query)],
    ["GET", "/audit", "audit.view", ({ query }) => page([...world.events].reverse().filter((e) => !query.get("kind") || e.kind.startsWith(query.get("kind"))), query)],
    ["GET", "/audit/verify", "audit.view", () => ({ events: world.events.length, intact: true, head: world.events.at(-1)?.hash ?? "" })],
    ["GET", "/tokens", null, ({ query }) => page(world.tokens, query)],
    ["POST", "/tokens", "token.create", ({ body }) => {
      const token = { id: new_id("key"), name: body.name, scope: body.scope ?? [], created_at: now(), last_used_at: null, expires_at: body.expires_in_days ? new Date(Date.now() + body.expires_in_days * 864e5).toISOString() : null };
      world.tokens.push(token);
      return [201, { token, secret: "hone_" + new_id("s").slice(2) }];
    }],
    ["DELETE", "/tokens/:id", null, ({ ids }) => { world.tokens = world.tokens.filter((t) => t.id !== ids[0]); return [204]; }],
  ].map(([method, path, right, run]) => ({ method, right, run, pattern: new RegExp("^" + path.replace(/:id/g, "([^/]+)") + "$") }));

  const run_of = (id) => world.projects.flatMap((p) => p.runs).find((r) => r.id === id) ?? (() => { throw not_found("run"); })();
  const own = (id, who) => { const a = assignments.get(id); if (!a || a.who !== who.id) throw not_found("assignment"); return a; };
  const link_for = (person) => { const token = new_id("t"); links.set(token, { person }); return "/sign-in#token=" + token; };

  function sign_in(res, person) {
    const id = new_id("ses");
    sessions.set(id, person);
    person.last_seen_at = now();
    res.setHeader("Set-Cookie", `hone_session=${id}; HttpOnly; SameSite=Strict; Path=/`);
    return session(person);
  }

  function public_route(method, path, body, req, res, sid) {
    if (path === "/session" && method === "GET") { if (!sessions.has(sid)) throw new Problem(401, "unauthenticated", "Sign in first."); return session(sessions.get(sid)); }
    if (path === "/session" && method === "POST") {
      const person = world.people.find((p) => p.email === body.email && p.password && p.password === body.password);
      if (!person) throw new Problem(401, "unauthenticated", "E-mail address or password are not right.");
      return sign_in(res, person);
    }
    if (path === "/session/link") {
      const link = links.get(body.token);
      if (!link?.person) throw new Problem(401, "unauthenticated", "This link has been used or is older than 15 minutes. Ask for a new one.");
      if (!link.again) links.delete(body.token);
      return sign_in(res, link.person);
    }
    if (path === "/session/password") { sessions.get(sid).password = body.new; return null; }
    if (path === "/session" && method === "DELETE") { sessions.delete(sid); return null; }
    if (path === "/invitations/preview" || path === "/invitations/accept") {
      const invitation = links.get(body.token)?.invitation;
      if (!invitation) throw new Problem(404, "not_found", "This invitation is not valid any more. Ask for a new one.");
      if (path.endsWith("preview")) return { organisation: { name: world.organisation.name }, role: invitation.role, name: invitation.name };
      const person = { id: new_id("usr"), name: body.name, email: invitation.email, role: invitation.role, password: body.password, pseudonym: "Person", skills: [], languages: [], paused: false, created_at: now(), annotations: 0 };
      world.people.push(person);
      return sign_in(res, person);
    }
    return undefined;
  }

  async function api(req, res, url) {
    const path = url.pathname.slice("/api/v1".length);
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString("utf8");
    const json = (req.headers["content-type"] ?? "").includes("json") && !path.includes("/import");
    const body = json && text ? JSON.parse(text) : undefined;
    const sid = /hone_session=([^;]+)/.exec(req.headers.cookie ?? "")?.[1];
    const opened = public_route(req.method, path, body, req, res, sid);
    if (opened !== undefined) return opened === null ? [204] : opened;
    const who = sessions.get(sid);
    if (!who) throw new Problem(401, "unauthenticated", "Sign in first.");
    if (req.method !== "GET" && req.headers["x-csrf-token"] !== "dev") throw new Problem(403, "forbidden", "The page is old. Load it again.");
    if (path === "/events") {
      res.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
      res.write(": hello\n\n");
      listeners.add(res);
      req.on("close", () => listeners.delete(res));
      return undefined;
    }
    if (/^\/projects\/[^/]+\/export$/.test(path)) {
      res.writeHead(200, { "Content-Type": "application/x-ndjson", "Content-Disposition": "attachment; filename=export.jsonl" });
      for (const t of project_of(path.split("/")[2]).tasks) if (t.annotations.length) res.write(JSON.stringify({ prompt: t.prompt, chosen: t.responses[0]?.text, rejected: t.responses[1]?.text, probability: posterior(t)[0].probability }) + "\n");
      return res.end();
    }
    const again = req.headers["idempotency-key"] && who.id + req.method + path + req.headers["idempotency-key"];
    if (again && replies.has(again)) { res.setHeader("Idempotency-Replayed", "true"); return replies.get(again); }
    for (const route of routes) {
      const ids = route.method === req.method && route.pattern.exec(path);
      if (!ids) continue;
      if (route.right) need(who, route.right);
      const reply = route.run({ who, ids: ids.slice(1), query: url.searchParams, body, text });
      if (again) replies.set(again, reply);
      return reply;
    }
    throw not_found("route");
  }

  const types = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
  function file(res, path) {
    let name = join(dist, normalize(path));
    if (!name.startsWith(dist) || !existsSync(name) || !extname(name)) name = join(dist, "index.html");
    res.writeHead(200, { "Content-Type": types[extname(name)] ?? "application/octet-stream",
      "Content-Security-Policy": "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; object-src 'none'" });
    res.end(readFileSync(name));
  }

  const server = createServer(async (req, res) => {
    const url = new URL(req.url, "http://localhost");
    try {
      if (!url.pathname.startsWith("/api/")) return dist ? file(res, url.pathname) : res.writeHead(404).end();
      const reply = await api(req, res, url);
      if (res.headersSent) return undefined;
      const [status, body, headers] = Array.isArray(reply) && typeof reply[0] === "number" ? reply : [200, reply];
      res.writeHead(status, { "Content-Type": "application/json", "Cache-Control": "no-store", ...(body?.id && body.overlap ? { ETag: '"1"' } : {}), ...headers });
      res.end(body ? JSON.stringify(body) : undefined);
    } catch (error) {
      const { status = 500, code = "internal", field } = error;
      if (status === 500) console.error(error);
      if (!res.headersSent) res.writeHead(status, { "Content-Type": "application/problem+json" });
      res.end(JSON.stringify({ type: "about:blank", title: code, status, detail: error.message, code, field }));
    }
  });
  return { server, world };
}

function parse_rows(text, format, most) {
  const lines = text.split("\n").filter((line) => line.trim());
  if (format === "csv") {
    const names = lines[0].split(",");
    return lines.slice(1, most + 1).map((line, at) => {
      const cells = line.split(",");
      return cells.length === names.length ? { line: at + 2, row: Object.fromEntries(names.map((n, i) => [n, cells[i]])) }
        : { line: at + 2, reason: `has ${cells.length} cells, the header has ${names.length}` };
    });
  }
  return lines.slice(0, most).map((line, at) => {
    try { return { line: at + 1, row: JSON.parse(line) }; } catch { return { line: at + 1, reason: "is not JSON" }; }
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const option = (name, other) => { const at = process.argv.indexOf("--" + name); return at > 0 ? process.argv[at + 1] : other; };
  const dist = option("dist");
  const { server, world } = make_app({ dist: dist && join(process.cwd(), dist) });
  server.listen(Number(option("port", "8787")), "127.0.0.1", () => {
    const address = `http://127.0.0.1:${server.address().port}`;
    console.log(address);
    for (const p of world.people) console.log(`${p.role.padEnd(10)} ${address}/sign-in#token=${p.token}`);
  });
}
