// Training runs of the development server: a curve that looks like one, in a minute of wall time.
import { new_id } from "./data.mjs";

// Each phase, and the share of the whole at which it ends.
const phases = [
  ["queued", 0.02],
  ["loading", 0.04],
  ["measuring before", 0.08],
  ["answers before", 0.1],
  ["reference", 0.15],
  ["training", 0.85],
  ["measuring after", 0.95],
  ["answers after", 1],
];
let shift = 0; // each run has its own luck
const noise = (n) => {
  const x = Math.sin((n + shift) * 12.9898) * 43758.5453;
  return x - Math.floor(x) - 0.5;
};
const line = (step, steps) => ({
  step,
  loss: 0.693 - 0.25 * (1 - Math.exp((-3 * step) / steps)) + noise(step) * 0.12,
  accuracy: 0.5 + 0.28 * (1 - Math.exp((-3 * step) / steps)) + noise(step + 0.5) * 0.1,
  margin: 0.9 * (1 - Math.exp((-2 * step) / steps)) + noise(step * 3) * 0.3,
  learning_rate: 5e-5 * (1 - step / steps),
  grad_norm: 1.2 + noise(step * 7) * 0.4,
});

// Of methods that learn from their own answers: other numbers, and a log of what was said.
const own_line = (step, steps) => ({
  step,
  epoch: step / steps,
  loss: 0.02 * noise(step),
  grad_norm: 0.8 + noise(step * 7) * 0.3,
  learning_rate: 1e-5 * (1 - step / steps),
  entropy: 1.9 - 0.9 * (1 - Math.exp((-2 * step) / steps)) + noise(step * 5) * 0.1,
  kl: Math.max(0, 0.6 * (1 - Math.exp((-1.5 * step) / steps)) + noise(step * 11) * 0.05),
  reward: 0.15 + 0.6 * (1 - Math.exp((-2.5 * step) / steps)) + noise(step * 13) * 0.12,
  reward_std: 0.35 - (0.15 * step) / steps,
  frac_reward_zero_std: Math.max(0, 0.1 + (0.3 * step) / steps + noise(step * 17) * 0.1),
  "rewards/numeric/mean": 0.1 + (0.6 * step) / steps,
  "rewards/format/mean": 0.5 + (0.4 * step) / steps,
  "completions/mean_length": 24 - (12 * step) / steps,
  "completions/clipped_ratio": Math.max(0, 0.2 - (0.25 * step) / steps),
  "sampling/sampling_logp_difference/max": 0,
  num_tokens: step * 900,
});
const own = ["grpo", "rloo", "ppo", "online_dpo"];
export const completions_of = (run) =>
  own.includes(run.method)
    ? Array.from({ length: Math.min(run_view(run).step, 60) * 8 }, (_, i) => {
        const step = 1 + Math.floor(i / 8),
          a = 2 + ((step * 7) % 40),
          b = 3 + ((step * 11) % 30),
          right = noise(i * 3) + 0.5 < 0.2 + step / 80,
          said = right ? a + b : a + b + 1 + (i % 5),
          format = noise(i * 5) > -0.2;
        return {
          place: i + 1,
          step,
          id: `train-${step % 24}`,
          prompt: `<|im_start|>user\nWhat is ${a} + ${b}? Answer with the number alone.<|im_end|>\n<|im_start|>assistant\n`,
          completion:
            i % 29 === 28
              ? ""
              : format
                ? String(said)
                : `Well, ${a} and ${b} make ${said}, as far as I can tell. Let me check that once more: ${a} and`,
          rewards: { numeric: right ? 1 : 0, format: i % 29 === 28 ? null : format ? 0.5 : 0 },
          advantage: (right ? 0.9 : -0.4) + noise(i) * 0.4,
          tokens: format ? 3 : 24,
          ended: format,
        };
      })
    : [];
export function completions_page(run, query) {
  const all = completions_of(run),
    number = (name) => (query.get(name) ? Number(query.get(name)) : null),
    reward = (c) =>
      query.get("reward")
        ? (c.rewards[query.get("reward")] ?? null)
        : Object.values(c.rewards).reduce((sum, v) => (v === null ? sum : (sum ?? 0) + v), null);
  const fits = all.filter(
    (c) =>
      c.step >= (number("step_from") ?? 0) &&
      c.step <= (number("step_to") ?? Infinity) &&
      (number("reward_min") === null || (reward(c) !== null && reward(c) >= number("reward_min"))) &&
      (number("reward_max") === null || (reward(c) !== null && reward(c) <= number("reward_max"))),
  );
  const value = { step: (c) => c.place, reward, advantage: (c) => c.advantage }[query.get("sort") ?? "step"];
  const sign = query.get("order") === "desc" ? -1 : 1;
  fits.sort((a, b) => (value(a) === null) - (value(b) === null) || sign * (value(a) - value(b)) || a.place - b.place);
  const limit = Number(query.get("limit") ?? 50),
    from = Number(query.get("after") ?? 0);
  return {
    items: fits.slice(from, from + limit),
    next: from + limit < fits.length ? String(from + limit) : null,
    found: fits.length,
    all: all.length,
    whole: true,
    rewards: all.length ? ["format", "numeric"] : [],
    first_step: all[0]?.step ?? 0,
    last_step: all.at(-1)?.step ?? 0,
  };
}
export const labels_of = (run) =>
  run.snapshot_id === null
    ? []
    : Array.from({ length: 130 }, (_, i) => ({
        id: `ann_${String(i).padStart(4, "0")}hq3x7`,
        task_id: run.project.tasks[i % run.project.tasks.length].id,
        person: ["heron 12", "otter 7", "finch 31"][(i * i) % 3],
        use: i % 5 === 0 ? "heldout" : "train",
        created_at: new Date(Date.now() - (400 - i) * 3600e3).toISOString(),
      }));
export function people_of(run) {
  const people = new Map();
  for (const l of labels_of(run)) {
    const one = people.get(l.person) ?? { person: l.person, train: 0, heldout: 0 };
    one[l.use]++;
    people.set(l.person, one);
  }
  return [...people.values()].sort((a, b) => b.train + b.heldout - a.train - a.heldout);
}

export function start_run(project, body, tell) {
  const run = {
    id: new_id("run"),
    job_id: new_id("job"),
    name: body.name ?? `${body.method} ${project.runs.length + 1}`,
    method: body.method,
    model: body.model ?? "SmolLM2-135M-Instruct",
    snapshot_id: body.snapshot_id ?? project.snapshots[0]?.id ?? null,
    settings: body.settings ?? {},
    steps: 240,
    started: Date.now(),
    seconds: 40,
    project,
    created_at: new Date().toISOString(),
  };
  project.runs.unshift(run);
  const timer = setInterval(() => {
    tell("run", { id: run.id });
    if (run_view(run).finished_at) clearInterval(timer);
  }, 1000);
  timer.unref();
  return run;
}
export function demo_run(project) {
  project.runs.push({
    id: new_id("run"),
    job_id: new_id("job"),
    name: "First adapter",
    method: "dpo",
    model: "SmolLM2-135M-Instruct",
    snapshot_id: null,
    settings: { learning_rate: 5e-5, num_train_epochs: 1, lora_r: 16 },
    steps: 240,
    started: Date.now() - 3600e3,
    seconds: 40,
    project,
    created_at: new Date(Date.now() - 3600e3).toISOString(),
  });
  for (const [name, method, settings, hours] of [
    ["Second adapter, slower", "dpo", { learning_rate: 2e-5, num_train_epochs: 2, lora_r: 16 }, 5],
    ["Sums", "grpo", { learning_rate: 1e-5, beta: 0.04, num_generations: 8, lora_r: 16 }, 9],
  ])
    project.runs.push({
      ...project.runs[0],
      id: new_id("run"),
      name,
      method,
      settings,
      snapshot_id: method === "dpo" ? "snp_demo" : null,
      proven: method === "dpo",
      started: Date.now() - hours * 3600e3,
      created_at: new Date(Date.now() - hours * 3600e3).toISOString(),
    });
}
const share = (run) => Math.min(1, (Date.now() - run.started) / 1000 / run.seconds);
export function run_view(run) {
  const at = share(run),
    done = at >= 1,
    step = Math.round(run.steps * Math.min(1, Math.max(0, (at - 0.15) / 0.7)));
  const phase = phases.find(([, end]) => at < end)?.[0] ?? "done";
  const proven = run.proven ?? true;
  const { id, job_id, name, method, model, snapshot_id, settings, steps, created_at } = run;
  return {
    id,
    job_id,
    name,
    method,
    model,
    project_id: run.project.id,
    snapshot_id,
    settings,
    steps,
    created_at,
    step,
    phase,
    state: run.cancelled ? "cancelled" : done ? "done" : "running",
    rate: 6.1,
    seconds_left: done ? 0 : Math.round(run.seconds * (1 - at)),
    error: null,
    verdict: done && proven ? "better" : null,
    before: at > 0.15 && proven ? { accuracy: 0.512, interval: [0.451, 0.573] } : null,
    after: done && proven ? { accuracy: 0.641, interval: [0.58, 0.698] } : null,
    p_value: done ? 0.0021 : null,
    smallest_detectable: done ? 0.083 : null,
    finished_at: done ? new Date(run.started + run.seconds * 1000).toISOString() : null,
  };
}
export const metrics_of = (run) => {
  shift = run.settings?.learning_rate ? run.settings.learning_rate * 1e6 : 0;
  const slow = run.settings?.learning_rate < 3e-5 ? 1.6 : 1; // a smaller rate learns later
  const lines = Array.from({ length: run_view(run).step }, (_, i) => (own.includes(run.method) ? own_line : line)(i + 1, run.steps * slow));
  shift = 0;
  return lines;
};
export const answers_of = (run) =>
  run.project.tasks.filter((_, i) => i % 173 === 0).map((t) => ({ prompt: t.prompt, before: t.responses[0]?.text, after: t.responses[1]?.text }));
export const items_of = (run) =>
  run.project.tasks
    .slice(0, 60)
    .map((t, i) => ({ id: t.id, prompt: t.prompt.slice(0, 160), before_margin: noise(i), after_margin: noise(i + 0.3) + 0.4 }));
