// A small in-memory stand-in for `hone up`, for development and for the unit tests of the page: the
// routes of docs/api.md over the world of data.mjs. `node dev/server.mjs [--port 8787] [--dist dist]`
// prints the address and the sign-in links. The end-to-end tests in CI use the real program.
import { createServer } from "node:http";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { extname, join, normalize } from "node:path";
import { pathToFileURL } from "node:url";
import { make_world, new_id } from "./data.mjs";
import { posterior } from "./quality.mjs";
import { labelling_routes } from "./routes_labelling.mjs";
import { people_routes } from "./routes_people.mjs";
import { make_registry, registry_routes } from "./routes_registry.mjs";
import { results_routes } from "./routes_results.mjs";
import { demo_feedback, feedback_routes } from "./routes_feedback.mjs";
import { make_serving, serve } from "./routes_serving.mjs";
import { Problem, not_found, rights } from "./rules.mjs";
import { demo_run } from "./runs.mjs";

/** feedback: some weeks of what people said, to look at. */
export function make_app({ dist, feedback = false } = {}) {
  const world = make_world();
  demo_run(world.projects[0]);
  world.serving = make_serving();
  world.said = [];
  world.rules = [];
  if (feedback) demo_feedback(world, Date.now());
  const sessions = new Map(),
    links = new Map(),
    replies = new Map(),
    assignments = new Map(),
    listeners = new Set();
  for (const p of world.people) links.set(p.token, { person: p, again: true });
  const everybody = () => [...world.people, ...world.workers];
  const now = () => new Date().toISOString();
  const tell = (type, data) => {
    for (const res of listeners) res.write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  world.registry = make_registry(now);
  const log = (who, kind, object, from, to) => {
    const previous = world.events.at(-1)?.hash ?? "";
    const event = { id: new_id("evt"), at: now(), actor: { id: who.id, name: who.name }, kind, object, from, to, data: {} };
    event.hash = createHash("sha256")
      .update(previous + JSON.stringify(event))
      .digest("hex");
    world.events.push(event);
  };
  const need = (who, right) => {
    if (!rights[who.role].includes(right)) throw new Problem(403, "forbidden", "Your role does not allow this. Ask a manager.");
  };
  const project_of = (id) =>
    world.projects.find((p) => p.id === id) ??
    (() => {
      throw not_found("project");
    })();
  const page = (items, query) => {
    const limit = Math.min(200, Number(query.get("limit") ?? 50)),
      from = Number(query.get("after") ?? 0);
    return { items: items.slice(from, from + limit), next: from + limit < items.length ? String(from + limit) : null };
  };
  const mine = (project, who) => {
    const done = project.tasks.filter((t) => t.annotations.some((a) => a.person.id === who.id));
    return { done: done.length, available: project.tasks.filter((t) => can_take(t, who)).length };
  };
  const wanted = (task) => task.project.overlap;
  const can_take = (task, who) =>
    task.state === "open" &&
    task.annotations.filter((a) => a.status === "valid").length < wanted(task) &&
    !task.annotations.some((a) => a.person.id === who.id) &&
    !task.skipped?.has(who.id) &&
    (!task.lease || task.lease === who.id);
  const view = (project, who) => {
    const { tasks, guidelines, schemas, people, imports, snapshots, runs, version, ...rest } = project;
    const count = (s) => tasks.filter((t) => t.split === s).length;
    return {
      ...rest,
      adaptive: rest.overlap_max > rest.overlap,
      guideline_version: guidelines.length,
      schema_version: schemas.length,
      split: { train: count("train"), heldout: count("heldout"), none: count("none") },
      counts: {
        tasks: tasks.length,
        done: tasks.filter((t) => t.state === "done").length,
        open: tasks.filter((t) => t.state === "open").length,
        annotations: tasks.reduce((n, t) => n + t.annotations.length, 0),
        surplus: 0,
        skips: tasks.reduce((n, t) => n + (t.skipped?.size ?? 0), 0),
        flags: tasks.reduce((n, t) => n + t.flags.length, 0),
      },
      ...(who.role === "annotator" ? { mine: mine(project, who) } : {}),
    };
  };
  const session = (who) => ({
    person: { id: who.id, name: who.name, locale: "en" },
    organisation: { id: world.organisation.id, name: world.organisation.name },
    role: who.role,
    permissions: rights[who.role],
    csrf_token: "dev",
    organisations: [{ id: world.organisation.id, name: world.organisation.name, role: who.role }],
    version: "development",
    has_password: Boolean(who.password),
    demo_project: world.projects[0].id,
  });
  const item = (task) => {
    const best = task.annotations.length ? posterior(task)[0] : null;
    return {
      id: task.id,
      state: task.state,
      priority: task.priority,
      split: task.split,
      prompt: (task.prompt ?? task.messages?.[0]?.content ?? "").slice(0, 200),
      annotations: task.annotations.length,
      wanted: wanted(task),
      answer: best?.answer ?? null,
      probability: best?.probability ?? null,
      flagged: task.flags.length > 0,
      is_gold: Boolean(task.gold),
      created_at: task.created_at,
    };
  };
  const assignment_view = (a) => {
    const { prompt, responses, messages } = a.task;
    return {
      assignment_id: a.id,
      task_id: a.task.id,
      project_id: a.task.project.id,
      task: {
        prompt,
        responses: a.order.map((at) => ({ response_id: responses[at].response_id, text: responses[at].text })),
        ...(messages ? { messages: messages.map((m, index) => ({ index, ...m })) } : {}),
      },
      lease_expires_at: new Date(a.expires).toISOString(),
      guideline_version: a.task.project.guidelines.length,
      schema_version: a.task.project.schemas.length,
      draft: a.draft,
      answer: a.answer,
    };
  };
  const lease = (project, who, count) => {
    const held = [...assignments.values()].filter((a) => a.who === who.id && a.state === "leased" && a.task.project === project);
    for (const task of project.tasks) {
      if (held.length >= count) break;
      if (!can_take(task, who) || held.some((a) => a.task === task)) continue;
      const order = task.responses.map((_, at) => at);
      if (order.length === 2 && Math.random() < 0.5) order.reverse();
      const a = {
        id: new_id("asn"),
        task,
        who: who.id,
        order,
        state: "leased",
        expires: Date.now() + project.lease_seconds * 1000,
        draft: null,
        answer: null,
      };
      task.lease = who.id;
      assignments.set(a.id, a);
      held.push(a);
    }
    return held.slice(0, count);
  };
  const validate = (project, task, answer) => {
    if (!answer || typeof answer !== "object" || !Object.keys(answer).length)
      throw new Problem(400, "invalid_input", "The answer is empty. Choose one.", "answer");
    for (const q of project.schemas.at(-1).questions) {
      if (q.required !== false && answer[q.name] === undefined)
        throw new Problem(400, "invalid_input", `"${q.title}" has no answer yet.`, "answer." + q.name);
    }
    if (typeof answer.winner === "string" && ["left", "right"].includes(answer.winner)) throw new Problem(400, "invalid_input", "name the response");
  };
  const finish = (task) => {
    if (task.annotations.filter((a) => a.status === "valid").length >= wanted(task)) task.state = "done";
  };

  // method, path, permission or null, handler({ who, query, body, text, ids })
  const shared = {
    world,
    links,
    everybody,
    now,
    log,
    tell,
    project_of,
    page,
    mine,
    view,
    item,
    assignment_view,
    lease,
    validate,
    assignments,
    finish,
    run_of: (id) => run_of(id),
    own: (id, who) => own(id, who),
    link_for: (person) => link_for(person),
    wanted,
  };
  const routes = [
    ...people_routes(shared),
    ...labelling_routes(shared),
    ...results_routes(shared),
    ...registry_routes(shared),
    ...feedback_routes(shared),
  ].map(([method, path, right, run]) => ({ method, right, run, pattern: new RegExp("^" + path.replace(/:(id|alias)/g, "([^/]+)") + "$") }));

  const run_of = (id) =>
    world.projects.flatMap((p) => p.runs).find((r) => r.id === id) ??
    (() => {
      throw not_found("run");
    })();
  const own = (id, who) => {
    const a = assignments.get(id);
    if (!a || a.who !== who.id) throw not_found("assignment");
    return a;
  };
  const link_for = (person) => {
    const token = new_id("t");
    links.set(token, { person });
    return "/sign-in#token=" + token;
  };

  function sign_in(res, person) {
    const id = new_id("ses");
    sessions.set(id, person);
    person.last_seen_at = now();
    res.setHeader("Set-Cookie", `hone_session=${id}; HttpOnly; SameSite=Strict; Path=/`);
    return session(person);
  }

  function public_route(method, path, body, req, res, sid) {
    if (path === "/session" && method === "GET") {
      if (!sessions.has(sid)) throw new Problem(401, "unauthenticated", "Sign in first.");
      return session(sessions.get(sid));
    }
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
    if (path === "/session/password") {
      sessions.get(sid).password = body.new;
      return null;
    }
    if (path === "/session" && method === "DELETE") {
      sessions.delete(sid);
      return null;
    }
    if (path === "/invitations/preview" || path === "/invitations/accept") {
      const invitation = links.get(body.token)?.invitation;
      if (!invitation) throw new Problem(404, "not_found", "This invitation is not valid any more. Ask for a new one.");
      if (path.endsWith("preview")) return { organisation: { name: world.organisation.name }, role: invitation.role, name: invitation.name };
      const person = {
        id: new_id("usr"),
        name: body.name,
        email: invitation.email,
        role: invitation.role,
        password: body.password,
        pseudonym: "Person",
        skills: [],
        languages: [],
        paused: false,
        created_at: now(),
        annotations: 0,
      };
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
      for (const t of project_of(path.split("/")[2]).tasks)
        if (t.annotations.length)
          res.write(
            JSON.stringify({
              prompt: t.prompt,
              chosen: t.responses[0]?.text,
              rejected: t.responses[1]?.text,
              probability: posterior(t)[0].probability,
            }) + "\n",
          );
      return res.end();
    }
    const again = req.headers["idempotency-key"] && who.id + req.method + path + req.headers["idempotency-key"];
    if (again && replies.has(again)) {
      res.setHeader("Idempotency-Replayed", "true");
      return replies.get(again);
    }
    if (path === "/feedback" && !world.serving.takes_feedback) throw not_found("route");
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
    res.writeHead(200, {
      "Content-Type": types[extname(name)] ?? "application/octet-stream",
      "Content-Security-Policy": "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; object-src 'none'",
    });
    res.end(readFileSync(name));
  }

  const server = createServer(async (req, res) => {
    const url = new URL(req.url, "http://localhost");
    try {
      if (url.pathname.startsWith("/v1/")) {
        const sid = /hone_session=([^;]+)/.exec(req.headers.cookie ?? "")?.[1];
        return await serve(req, res, url, world.serving, sessions.has(sid));
      }
      if (!url.pathname.startsWith("/api/")) return dist ? file(res, url.pathname) : res.writeHead(404).end();
      const reply = await api(req, res, url);
      if (res.headersSent) return undefined;
      const [status, body, headers] = Array.isArray(reply) && typeof reply[0] === "number" ? reply : [200, reply];
      res.writeHead(status, {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        ...(body?.id && body.overlap ? { ETag: '"1"' } : {}),
        ...headers,
      });
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

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const option = (name, other) => {
    const at = process.argv.indexOf("--" + name);
    return at > 0 ? process.argv[at + 1] : other;
  };
  const dist = option("dist");
  const { server, world } = make_app({ dist: dist && join(process.cwd(), dist), feedback: true });
  server.listen(Number(option("port", "8787")), "127.0.0.1", () => {
    const address = `http://127.0.0.1:${server.address().port}`;
    console.log(address);
    for (const p of world.people) console.log(`${p.role.padEnd(10)} ${address}/sign-in#token=${p.token}`);
  });
}
