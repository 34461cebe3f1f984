// Training runs of the development server: a curve that looks like one, in a minute of wall time.
import { new_id } from "./data.mjs";

const phases = ["queued", "loading", "reference", "measuring before", "training", "measuring after", "answers", "done"];
const noise = (n) => {
  const x = Math.sin(n * 12.9898) * 43758.5453;
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
}
const share = (run) => Math.min(1, (Date.now() - run.started) / 1000 / run.seconds);
export function run_view(run) {
  const at = share(run),
    done = at >= 1,
    step = Math.round(run.steps * Math.min(1, Math.max(0, (at - 0.15) / 0.7)));
  const phase = done
    ? "done"
    : at < 0.02
      ? "queued"
      : at < 0.06
        ? "loading"
        : at < 0.1
          ? "reference"
          : at < 0.15
            ? phases[3]
            : at < 0.85
              ? "training"
              : at < 0.95
                ? phases[5]
                : "answers";
  const { id, job_id, name, method, model, snapshot_id, settings, steps, created_at } = run;
  return {
    id,
    job_id,
    name,
    method,
    model,
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
    verdict: done ? "better" : null,
    before: at > 0.15 ? { accuracy: 0.512, interval: [0.451, 0.573] } : null,
    after: done ? { accuracy: 0.641, interval: [0.58, 0.698] } : null,
    p_value: done ? 0.0021 : null,
    smallest_detectable: done ? 0.083 : null,
    finished_at: done ? new Date(run.started + run.seconds * 1000).toISOString() : null,
  };
}
export const metrics_of = (run) => Array.from({ length: run_view(run).step }, (_, i) => line(i + 1, run.steps));
export const answers_of = (run) =>
  run.project.tasks.filter((_, i) => i % 173 === 0).map((t) => ({ prompt: t.prompt, before: t.responses[0]?.text, after: t.responses[1]?.text }));
export const items_of = (run) =>
  run.project.tasks
    .slice(0, 60)
    .map((t, i) => ({ id: t.id, prompt: t.prompt.slice(0, 160), before_margin: noise(i), after_margin: noise(i + 0.3) + 0.4 }));
