import { call, type Page } from "./client";
import type {
  Base,
  Job,
  MetricLine,
  Project,
  Run,
  RunAnswer,
  RunCompletions,
  RunItem,
  RunLabel,
  RunPerson,
  RunPlan,
} from "./types";

export interface RunWish {
  name?: string;
  snapshot_id?: string;
  method: "dpo" | "sft";
  model?: string;
  settings?: Record<string, unknown>;
}
export const list_bases = () => call<Page<Base>>("GET", "/bases");
export const plan_run = (project_id: string, wish: RunWish) =>
  call<RunPlan>("POST", `/projects/${project_id}/runs/plan`, { body: wish });
export const start_run = (project_id: string, wish: RunWish) =>
  call<Run>("POST", `/projects/${project_id}/runs`, { body: wish });
export const list_runs = (project_id: string) =>
  call<Page<Run>>("GET", `/projects/${project_id}/runs`, { query: { limit: 100 } });
export const get_run = (id: string) => call<Run>("GET", `/runs/${id}`);
export const cancel_run = (id: string) => call<void>("POST", `/runs/${id}/cancel`, { body: {} });
export const compare_run = (id: string) => call<Project>("POST", `/runs/${id}/compare`, { body: {} });
export const get_run_answers = (id: string) =>
  call<Page<RunAnswer>>("GET", `/runs/${id}/answers`, { query: { limit: 50 } });
export const get_run_items = (id: string) =>
  call<Page<RunItem>>("GET", `/runs/${id}/items`, { query: { limit: 200 } });
export interface CompletionFilter {
  step_from?: string;
  step_to?: string;
  reward?: string;
  reward_min?: string;
  reward_max?: string;
  sort?: "step" | "reward" | "advantage";
  order?: "asc" | "desc";
}
export const list_completions = (
  id: string,
  filter: CompletionFilter,
  after: string | null,
  signal?: AbortSignal,
) =>
  call<RunCompletions>("GET", `/runs/${id}/completions`, {
    query: { ...filter, after, limit: 50 },
    ...(signal ? { signal } : {}),
  });
export const list_run_labels = (id: string, after: string | null) =>
  call<Page<RunLabel>>("GET", `/runs/${id}/labels`, { query: { after, limit: 100 } });
export const list_run_people = (id: string) =>
  call<Page<RunPerson>>("GET", `/runs/${id}/people`, { query: { limit: 200 } });
export const get_job = (id: string) => call<Job>("GET", `/jobs/${id}`);
export const stop_job = (id: string) => call<void>("POST", `/jobs/${id}/cancel`, { body: {} });
export const list_jobs = () => call<Page<Job>>("GET", "/jobs");

const kMostLines = 100_000;
/** All lines after a step: the whole run, page by page. */
export async function get_run_metrics(id: string, after_step: number): Promise<MetricLine[]> {
  const lines: MetricLine[] = [];
  let after: string | null = null;
  do {
    const page: Page<MetricLine> = await call("GET", `/runs/${id}/metrics`, {
      query: { after_step: after_step >= 0 ? after_step : undefined, after, limit: 200 },
    });
    lines.push(...page.items);
    after = page.next;
  } while (after && lines.length < kMostLines);
  return lines;
}
