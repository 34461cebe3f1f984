// The registry of the stand-in: a base and four adapters, whose measured accuracy is scripted. A gate
// compares two of them over half a minute of wall time shortened to two seconds, and decides by the
// same words as the program.
import { new_id } from "./data.mjs";
import { Problem, not_found } from "./rules.mjs";

const by_operator = { id: "operator", name: "operator" };
const rows = 240;
const digest = (seed) => Array.from({ length: 64 }, (_, i) => ((seed * 31 + i * i * 7 + i) % 16).toString(16)).join("");

export function make_registry(now) {
  const model = (seed, name, accuracy, more = {}) => ({
    id: new_id("mdl"),
    name,
    kind: "adapter",
    shared: false,
    digest: digest(seed),
    parent: "smol",
    parent_id: null,
    origin: {},
    bytes: 3_746_192,
    served: true,
    note: "",
    created_by: by_operator,
    created_at: now(),
    accuracy,
    ...more,
  });
  const base = model(1, "smol", 0.52, {
    kind: "base",
    shared: true,
    parent: null,
    bytes: 93_000_000,
    origin: { file: "SmolLM2-135M-Instruct.Q4_1.gguf" },
  });
  const models = [
    model(2, "polite-1", 0.61),
    model(3, "polite-2", 0.74),
    model(4, "rude", 0.38),
    model(5, "elsewhere", 0.5, { served: false, note: "elsewhere stands on another base than the one that answers here" }),
    base,
  ];
  for (const m of models) if (m !== base) m.parent_id = base.id;
  return { models, aliases: [], jobs: [] };
}

function comparison(metric, candidate, champion) {
  const difference = candidate.accuracy - champion.accuracy;
  const half = 0.08;
  const verdict = difference - half > 0 ? "better" : difference + half < 0 ? "worse" : "no difference shown";
  return {
    data: digest(9),
    metric,
    n: rows,
    candidate: candidate.digest,
    champion: champion.digest,
    candidate_mean: candidate.accuracy,
    champion_mean: champion.accuracy,
    difference,
    interval: [difference - half, difference + half],
    gained: Math.round(rows * (0.1 + Math.max(0, difference))),
    lost: Math.round(rows * (0.1 + Math.max(0, -difference))),
    p: verdict === "no difference shown" ? 0.41 : 0.0008,
    smallest_detectable: 0.087,
    verdict,
    report: digest(8),
  };
}

export const registry_routes = ({ world, now, tell, page, run_of }) => {
  const registry = world.registry;
  const model_of = (named) =>
    registry.models.find((m) => m.id === named || m.name === named) ??
    (() => {
      throw not_found("model");
    })();
  const alias_of = (encoded) => {
    const found = registry.aliases.find((a) => a.name === decodeURIComponent(encoded));
    if (!found) throw not_found("alias");
    return found;
  };
  const shown_model = ({ accuracy, ...rest }) => rest;
  const target = (m, weight = 1) => ({ model: m.name, model_id: m.id, digest: m.digest, weight });
  const view = (a) => ({
    name: a.name,
    version: a.version,
    targets: a.versions.find((v) => v.version === a.version)?.targets ?? [],
    gate: a.gate,
    job_id: a.job?.state === "running" ? a.job.id : null,
  });
  const find_or_make = (encoded) => {
    const name = decodeURIComponent(encoded);
    let found = registry.aliases.find((a) => a.name === name);
    if (!found) {
      found = { name, version: 0, versions: [], decisions: [], gate: null, job: null };
      registry.aliases.push(found);
    }
    return found;
  };
  const decide = (who, alias, outcome, candidate, targets, reason, evidence = {}) => {
    const from = alias.version;
    if (targets) {
      alias.versions.unshift({
        version: (alias.versions[0]?.version ?? 0) + 1,
        previous: from,
        targets,
        created_by: { id: who.id, name: who.name },
        created_at: now(),
      });
      alias.version = alias.versions[0].version;
    }
    const decision = {
      id: new_id("prm"),
      alias: alias.name,
      candidate: candidate?.name ?? null,
      outcome,
      moved: alias.version !== from,
      from_version: from,
      to_version: alias.version,
      reason: reason ?? "",
      evidence,
      created_by: { id: who.id, name: who.name },
      created_at: now(),
    };
    alias.decisions.unshift(decision);
    tell("alias", { id: alias.name });
    return decision;
  };
  const check_version = (alias, body) => {
    if (body?.expected_version !== undefined && body.expected_version !== alias.version)
      throw new Problem(409, "conflict", `${alias.name} has moved on to version ${alias.version} meanwhile: look again, then decide`);
  };
  const measure = (who, alias, candidate) => {
    const champion = model_of(view(alias).targets[0]?.model_id ?? candidate.id);
    const job = {
      id: new_id("job"),
      kind: "gate",
      object_id: alias.name,
      state: "running",
      progress: 0,
      text: "measuring the candidate on the main set",
      error: "",
      created_at: now(),
      finished_at: null,
    };
    registry.jobs.push(job);
    alias.job = job;
    const began = Date.now();
    const timer = setInterval(() => {
      if (job.state !== "running") return clearInterval(timer);
      job.progress = Math.min(1, (Date.now() - began) / (world.gate_ms ?? 2000));
      job.text = `measuring the ${job.progress < 0.5 ? "candidate" : "champion"} on the main set ${Math.round(job.progress * rows * 2)} of ${rows * 2}`;
      if (job.progress < 1) return;
      clearInterval(timer);
      const main = comparison(alias.gate.heldout.metric || "likelihood_accuracy", candidate, champion);
      const few = rows < alias.gate.items_min;
      const outcome = few ? "too_few" : main.verdict === "better" ? "promoted" : main.verdict === "worse" ? "worse" : "kept";
      const words = few
        ? `${rows} items, and the gate wants ${alias.gate.items_min}`
        : `${main.metric} ${champion.accuracy} to ${candidate.accuracy} (p ${main.p}, ${rows} items)`;
      decide(who, alias, outcome, candidate, outcome === "promoted" ? [target(candidate)] : null, words, {
        main,
        overlap_main: 0,
        overlap_second: 0,
        training_data: digest(7),
      });
      job.state = "done";
      job.finished_at = now();
      tell("job", { id: job.id });
    }, 100);
    timer.unref();
    return job;
  };
  const set = (id, metric) => ({ snapshot_id: id, name: id, digest: digest(9), metric: metric ?? "" });
  return [
    ["GET", "/models", "model.view", ({ query }) => page(registry.models.map(shown_model), query)],
    [
      "POST",
      "/models",
      "model.manage",
      ({ body }) => {
        if (registry.models.some((m) => m.name === body.name))
          throw new Problem(409, "conflict", `there is a model called ${body.name} already: choose another name`);
        const run = body.run_id ? run_of(body.run_id) : null;
        const made = {
          ...registry.models[0],
          id: new_id("mdl"),
          name: body.name,
          digest: digest(registry.models.length + 20),
          origin: run ? { run: run.id, project: run.project.id, method: run.method } : { file: body.base },
          created_at: now(),
          accuracy: 0.7,
        };
        registry.models.unshift(made);
        return [201, shown_model(made)];
      },
    ],
    [
      "DELETE",
      "/models/:id",
      "model.manage",
      ({ ids }) => {
        const model = model_of(ids[0]);
        const used = registry.aliases.find((a) => view(a).targets.some((x) => x.model_id === model.id));
        if (used) throw new Problem(409, "conflict", `the alias ${used.name} answers with ${model.name}: promote another model first`);
        registry.models.splice(registry.models.indexOf(model), 1);
        return [204];
      },
    ],
    ["GET", "/aliases", "model.view", ({ query }) => page([...registry.aliases].sort((a, b) => (a.name < b.name ? -1 : 1)).map(view), query)],
    [
      "POST",
      "/aliases/:alias/promote",
      "model.manage",
      ({ who, ids, body }) => {
        const candidate = model_of(body.model);
        const alias = find_or_make(ids[0]);
        check_version(alias, body);
        if (alias.gate && !body.force) return [202, { job_id: measure(who, alias, candidate).id }];
        return decide(who, alias, "by_hand", candidate, [target(candidate)], body.reason);
      },
    ],
    [
      "POST",
      "/aliases/:alias/split",
      "model.manage",
      ({ who, ids, body }) => {
        const alias = find_or_make(ids[0]);
        check_version(alias, body);
        return decide(
          who,
          alias,
          "split",
          null,
          body.models.map((x) => target(model_of(x.model), x.weight)),
          body.reason,
        );
      },
    ],
    [
      "POST",
      "/aliases/:alias/rollback",
      "model.manage",
      ({ who, ids, body }) => {
        const alias = alias_of(ids[0]);
        check_version(alias, body);
        const previous = alias.versions.find((v) => v.version === alias.version)?.previous ?? 0;
        if (!previous) throw new Problem(409, "conflict", `${alias.name} has no earlier version to go back to`);
        const from = alias.version;
        alias.version = previous;
        const made = decide(who, alias, "rolled_back", null, null, body?.reason);
        Object.assign(made, { from_version: from, moved: true });
        return made;
      },
    ],
    ["GET", "/aliases/:alias/versions", "model.view", ({ ids, query }) => page(alias_of(ids[0]).versions, query)],
    ["GET", "/aliases/:alias/decisions", "model.view", ({ ids, query }) => page(alias_of(ids[0]).decisions, query)],
    [
      "PUT",
      "/aliases/:alias/gate",
      "model.manage",
      ({ ids, body }) => {
        const alias = find_or_make(ids[0]);
        alias.gate = {
          heldout: set(body.heldout, body.metric),
          items_min: body.items_min ?? 0,
          second: body.second ? set(body.second, body.second_metric) : null,
          floor: body.floor ?? 0,
          no_worse: body.no_worse ?? false,
        };
        return view(alias);
      },
    ],
    [
      "DELETE",
      "/aliases/:alias/gate",
      "model.manage",
      ({ ids }) => {
        alias_of(ids[0]).gate = null;
        return [204];
      },
    ],
    [
      "GET",
      "/heldout-sets",
      "model.view",
      ({ query }) =>
        page(
          world.projects.flatMap((p) =>
            p.snapshots
              .filter((s) => s.rows_heldout > 0)
              .map((s) => ({ snapshot_id: s.id, name: s.name, project_id: p.id, project: p.name, rows: s.rows_heldout })),
          ),
          query,
        ),
    ],
    [
      "GET",
      "/jobs/:id",
      null,
      ({ ids }) =>
        registry.jobs.find((j) => j.id === ids[0]) ??
        (() => {
          throw not_found("job");
        })(),
    ],
    [
      "POST",
      "/jobs/:id/cancel",
      "run.start",
      ({ ids }) => {
        const job = registry.jobs.find((j) => j.id === ids[0]);
        if (job) Object.assign(job, { state: "cancelled", finished_at: now() });
        return [202, {}];
      },
    ],
  ];
};
