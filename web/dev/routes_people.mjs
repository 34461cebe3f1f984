// Routes of people, projects and imports. Each: method, path, permission or null, handler.
import { builtin_schemas, make_project, make_task, new_id } from "./data.mjs";
import { Problem, not_found, parse_rows, rights } from "./rules.mjs";

export const people_routes = ({ world, links, everybody, now, log, project_of, page, mine, view, link_for }) => [
  [
    "GET",
    "/people",
    "people.view",
    ({ query }) =>
      page(
        everybody()
          .filter((p) => p.name.toLowerCase().includes((query.get("q") ?? "").toLowerCase()))
          .map(({ token, password, ...p }) => p),
        query,
      ),
  ],
  [
    "POST",
    "/people",
    "people.manage",
    ({ who, body }) => {
      if (!body.name?.trim()) throw new Problem(400, "invalid_input", "A person needs a name.", "name");
      const person = {
        id: new_id("usr"),
        pseudonym: "Person " + (everybody().length + 1),
        skills: [],
        languages: [],
        paused: false,
        created_at: now(),
        last_seen_at: null,
        annotations: 0,
        ...body,
      };
      world.people.push(person);
      log(who, "person.add", person.id, null, body.role);
      return [201, { person, sign_in_link: link_for(person) }];
    },
  ],
  [
    "POST",
    "/people/import",
    "people.manage",
    ({ text }) => {
      const lines = text.trim().split("\n"),
        made = [],
        errors = [];
      lines.slice(1).forEach((line, at) => {
        const [name, email, role, skills = "", languages = ""] = line.split(",");
        if (!rights[role]) return errors.push({ line: at + 2, reason: `"${role ?? ""}" is no role` });
        const person = {
          id: new_id("usr"),
          name,
          email,
          role,
          pseudonym: name,
          skills: skills.split(";").filter(Boolean),
          languages: languages.split(";").filter(Boolean),
          paused: false,
          created_at: now(),
          last_seen_at: null,
          annotations: 0,
        };
        world.people.push(person);
        made.push({ person, sign_in_link: link_for(person) });
      });
      return { created: made.length, errors, people: made };
    },
  ],
  [
    "PATCH",
    "/people/:id",
    "people.manage",
    ({ who, ids, body }) => {
      const person = everybody().find((p) => p.id === ids[0]);
      if (!person) throw not_found("person");
      log(who, "person.change", person.id, person.role, body.role ?? person.role);
      return Object.assign(person, body);
    },
  ],
  [
    "DELETE",
    "/people/:id",
    "people.manage",
    ({ ids }) => {
      world.people = world.people.filter((p) => p.id !== ids[0]);
      return [204];
    },
  ],
  ["POST", "/people/:id/link", "people.manage", ({ ids }) => ({ sign_in_link: link_for(everybody().find((p) => p.id === ids[0])) })],
  ["GET", "/invitations", "people.view", ({ query }) => page(world.invitations, query)],
  [
    "POST",
    "/invitations",
    "people.manage",
    ({ body }) => {
      const invitation = {
        id: new_id("inv"),
        name: null,
        email: null,
        ...body,
        created_at: now(),
        expires_at: new Date(Date.now() + 7 * 864e5).toISOString(),
        state: "open",
      };
      world.invitations.push(invitation);
      links.set(invitation.id, { invitation });
      return [201, { invitation, link: "/invitation#token=" + invitation.id }];
    },
  ],
  [
    "DELETE",
    "/invitations/:id",
    "people.manage",
    ({ ids }) => {
      world.invitations = world.invitations.filter((i) => i.id !== ids[0]);
      return [204];
    },
  ],
  ["GET", "/organisation", null, () => ({ ...world.organisation, people: everybody().length, projects: world.projects.length })],
  ["PATCH", "/organisation", "organisation.manage", ({ body }) => Object.assign(world.organisation, body)],
  [
    "GET",
    "/projects",
    "project.view",
    ({ who, query }) =>
      page(
        world.projects.map((p) => ({ ...view(p, who), ...(rights[who.role].includes("label") ? { mine: mine(p, who) } : {}) })),
        query,
      ),
  ],
  [
    "POST",
    "/projects",
    "project.create",
    ({ who, body }) => {
      const { guideline, schema, ...more } = body;
      if (!body.name?.trim()) throw new Problem(400, "invalid_input", "A project needs a name.", "name");
      const project = make_project(body.name, body.task_type, { created_at: now(), overlap_max: more.overlap ?? 1, ...more });
      if (guideline) project.guidelines.push({ version: 1, body: guideline, created_at: now(), created_by: { id: who.id, name: who.name } });
      if (schema) project.schemas = [schema];
      world.projects.push(project);
      log(who, "project.create", project.id, null, "open");
      return [201, view(project, who)];
    },
  ],
  ["GET", "/projects/:id", "project.view", ({ who, ids }) => view(project_of(ids[0]), who)],
  [
    "PATCH",
    "/projects/:id",
    "project.manage",
    ({ who, ids, body }) => {
      const project = project_of(ids[0]);
      log(who, "project.change", project.id, null, Object.keys(body).join(", "));
      Object.assign(project, body, { version: project.version + 1 });
      return view(project, who);
    },
  ],
  [
    "GET",
    "/projects/:id/guideline",
    "project.view",
    ({ ids, query }) => {
      const list = project_of(ids[0]).guidelines,
        version = Number(query.get("version") ?? list.length),
        one = list[version - 1];
      return { ...(one ?? { version: 0, body: "", created_by: null, created_at: null }), versions: list.map(({ body, ...v }) => v) };
    },
  ],
  [
    "POST",
    "/projects/:id/guideline",
    "project.manage",
    ({ who, ids, body }) => {
      const list = project_of(ids[0]).guidelines;
      list.push({ version: list.length + 1, body: body.body, created_at: now(), created_by: { id: who.id, name: who.name } });
      return { ...list.at(-1), versions: list.map(({ body: _, ...v }) => v) };
    },
  ],
  ["GET", "/projects/:id/live", "project.manage", ({ ids }) => ({ sides: project_of(ids[0]).live ?? null })],
  [
    "PUT",
    "/projects/:id/live",
    "project.manage",
    ({ ids, body }) => {
      project_of(ids[0]).live = body.sides;
      return { sides: body.sides };
    },
  ],
  [
    "GET",
    "/projects/:id/schema",
    "project.view",
    ({ ids }) => ({ version: project_of(ids[0]).schemas.length, schema: project_of(ids[0]).schemas.at(-1) }),
  ],
  [
    "POST",
    "/projects/:id/schema",
    "project.manage",
    ({ ids, body }) => {
      const project = project_of(ids[0]);
      project.schemas.push(body.schema);
      return { version: project.schemas.length, schema: body.schema };
    },
  ],
  [
    "POST",
    "/schemas/validate",
    null,
    ({ body }) => {
      if (!Array.isArray(body.schema?.questions)) throw new Problem(400, "invalid_input", "A schema needs a list of questions.", "/questions");
      return { valid: true, schema: body.schema };
    },
  ],
  ["GET", "/schemas", null, () => ({ items: Object.values(builtin_schemas), next: null })],
  ["GET", "/projects/:id/people", "project.view", ({ ids }) => ({ people: project_of(ids[0]).people })],
  [
    "PUT",
    "/projects/:id/people",
    "project.manage",
    ({ ids, body }) => {
      project_of(ids[0]).people = body.people;
      return { people: body.people };
    },
  ],
  [
    "POST",
    "/projects/:id/import/preview",
    "task.import",
    ({ text, query }) => {
      const format = (query.get("name") ?? "").endsWith(".csv") ? "csv" : "jsonl";
      const rows = parse_rows(text, format, 5);
      const names = Object.keys(rows[0]?.row ?? {});
      const guess = (n) =>
        ({ question: "prompt", a: "left", b: "right", chosen: "left", rejected: "right" })[n] ??
        ([
          "prompt",
          "left",
          "right",
          "response",
          "responses",
          "messages",
          "models",
          "id",
          "language",
          "priority",
          "gold",
          "winner",
          "worker",
        ].includes(n)
          ? n
          : "meta");
      return {
        format,
        columns: names.map((name) => ({
          name,
          role: guess(name),
          guessed_from: "name",
          samples: rows.slice(0, 3).map((r) => String(typeof r.row[name] === "object" ? JSON.stringify(r.row[name]) : r.row[name]).slice(0, 120)),
        })),
        rows: rows
          .filter((r) => r.row)
          .map(({ row }) => ({
            prompt: row.prompt ?? row.question ?? "",
            responses: row.responses ?? [row.left ?? row.a ?? row.chosen, row.right ?? row.b ?? row.rejected].filter(Boolean),
          })),
        problems: rows.filter((r) => r.reason).map(({ line, reason }) => ({ line, reason })),
        message: "",
      };
    },
  ],
  [
    "POST",
    "/projects/:id/import",
    "task.import",
    ({ who, ids, text, query }) => {
      const project = project_of(ids[0]),
        columns = JSON.parse(query.get("columns") ?? "{}");
      const rows = parse_rows(text, query.get("format") ?? "jsonl", Infinity);
      const seen = new Set(project.tasks.map((t) => t.prompt + "\n" + t.responses.map((r) => r.text).join("\n")));
      let created = 0,
        duplicates = 0;
      const errors = [];
      for (const { line, row, reason } of rows) {
        if (reason) {
          errors.push({ line, reason });
          continue;
        }
        const named = Object.fromEntries(Object.entries(row).map(([n, v]) => [columns[n] ?? n, v]));
        const responses = (named.responses ?? [named.left, named.right, named.response].filter((v) => v !== undefined)).map((r) => r.text ?? r);
        if (!named.prompt && !named.messages) {
          errors.push({ line, reason: "no prompt" });
          continue;
        }
        const mark = named.prompt + "\n" + responses.join("\n");
        if (seen.has(mark)) {
          duplicates++;
          continue;
        }
        seen.add(mark);
        created++;
        project.tasks.push(make_task(project, { id: String(line), prompt: named.prompt, messages: named.messages, responses }));
      }
      const one = {
        id: new_id("imp"),
        import_id: null,
        name: query.get("name"),
        format: query.get("format"),
        state: "done",
        rows: rows.length,
        created,
        duplicates,
        errors: errors.length,
        first_errors: errors.slice(0, 20),
        created_at: now(),
        finished_at: now(),
      };
      one.import_id = one.id;
      project.imports.unshift(one);
      log(who, "import", project.id, null, String(created));
      return one;
    },
  ],
  ["GET", "/projects/:id/imports", "task.import", ({ ids, query }) => page(project_of(ids[0]).imports, query)],
];
