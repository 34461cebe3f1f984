// What travels, as docs/api.md says it.
import type { Answer, Schema, TaskBody } from "../pure/answer";

export type Role = "owner" | "manager" | "reviewer" | "annotator" | "viewer";
export const kRoles: Role[] = ["owner", "manager", "reviewer", "annotator", "viewer"];
export interface Named {
  id: string;
  name: string;
}

export interface Session {
  person: { id: string; name: string; locale: string };
  organisation: Named;
  role: Role;
  is_operator?: boolean;
  permissions: string[];
  csrf_token: string;
  organisations: { id: string; name: string; role: Role }[];
  version: string;
  has_password: boolean;
  demo_project: string | null;
}
export interface Person {
  id: string;
  name: string;
  pseudonym?: string;
  email?: string | null;
  role: Role;
  skills: string[];
  languages: string[];
  paused: boolean;
  created_at: string;
  last_seen_at: string | null;
  annotations: number;
}
export interface Invitation {
  id: string;
  role: Role;
  name: string | null;
  email: string | null;
  created_at: string;
  expires_at: string;
  state: string;
}
export interface Organisation {
  id: string;
  name: string;
  created_at: string;
  people: number;
  projects: number;
}

export type TaskType = "pairwise" | "ranking" | "rating" | "text" | "safety" | "rubric" | "conversation";
export const kTaskTypes: TaskType[] = [
  "pairwise",
  "ranking",
  "rating",
  "text",
  "safety",
  "rubric",
  "conversation",
];
export interface Project {
  id: string;
  name: string;
  task_type: TaskType;
  state: "open" | "paused" | "finished" | "archived";
  overlap: number;
  overlap_max: number | null;
  stop_probability: number | null;
  adaptive: boolean;
  lease_seconds: number;
  gold_share?: number;
  show_gold_result?: boolean;
  blind: boolean;
  live?: boolean; // whoever labels writes, and two models answer
  skills: string[];
  description: string;
  guideline_version: number;
  schema_version: number;
  split_state: "none" | "frozen";
  split?: { train: number; heldout: number; none: number };
  counts?: {
    tasks: number;
    done: number;
    open: number;
    annotations: number;
    surplus: number;
    skips: number;
    flags: number;
  };
  created_at: string;
  mine?: { done: number; available: number };
}
export interface GuidelineVersion {
  version: number;
  created_at: string | null;
  created_by: Named | string | null;
}
export interface Guideline extends GuidelineVersion {
  body: string;
  versions: GuidelineVersion[];
}

export interface ImportPreview {
  format: "jsonl" | "csv" | "label-studio" | "arena";
  columns: { name: string; role: string; guessed_from?: string | null; samples: unknown[] }[];
  rows: unknown[];
  problems: { line: number; reason: string }[];
  message?: string;
}
export interface ImportResult {
  id?: string;
  import_id?: string;
  job_id?: string;
  name?: string;
  format?: string;
  state?: string;
  rows: number;
  created: number;
  duplicates: number;
  errors: number;
  first_errors: { line: number; reason: string }[];
  created_at?: string;
  finished_at?: string | null;
}

export interface TaskItem {
  id: string;
  state: string;
  priority: number;
  split: string | null;
  prompt: string;
  annotations: number;
  wanted: number;
  answer: string | null;
  probability: number | null;
  flagged: boolean;
  is_gold: boolean;
  created_at: string;
}
export interface TaskDetail extends TaskItem {
  body: Omit<TaskBody, "responses"> & {
    responses: { response_id: string; text: string; model?: string | null }[];
    meta?: Record<string, unknown>;
  };
  posterior: { answer: string; probability: number }[];
  annotations_list?: Annotation[];
  flags: {
    id: string;
    reason: string;
    comment?: string;
    person?: Named;
    created_at?: string;
    resolved_at?: string | null;
  }[];
  gold: unknown;
}
export interface Annotation {
  id: string;
  person: Named;
  status: string;
  answer: Answer;
  rationale?: string | null;
  active_ms?: number | null;
  created_at: string;
  guideline_version: number;
}

export interface Assignment {
  assignment_id: string;
  task_id: string;
  project_id: string;
  task: TaskBody;
  lease_expires_at: string;
  guideline_version: number;
  schema_version: number;
  draft?: unknown;
  answer?: Answer | null;
}
export interface Mine {
  done: number;
  done_today: number;
  minutes_today: number;
  available: number;
  guideline_version: number;
  recent: {
    assignment_id: string;
    task_id: string;
    prompt: string;
    answer: Answer;
    status: string;
    created_at: string;
    can_undo: boolean;
  }[];
}
export interface Submitted {
  annotation_id: string;
  status: "valid" | "surplus";
  done_by_me: number;
  exam?: { correct: boolean; explanation?: string };
}

export type Interval = [number, number] | null;
export interface Quality {
  labels: number;
  people: number;
  tasks_labelled: number;
  method: string;
  agreement: {
    percent: number | null;
    alpha: number | null;
    alpha_interval: Interval;
    ac1: number | null;
    ac1_interval: Interval;
    words: string;
  };
  answers: { answer: string; share: number; expected_share: number | null }[];
  certainty: { from: number; to: number; tasks: number }[];
  sides: {
    left: number;
    right: number;
    share_left: number | null;
    interval: Interval;
    p_value: number | null;
    words: string;
  } | null;
  to_do: { text: string; link?: string | null }[];
  over_time: { at: string; labels: number; alpha: number | null }[];
  updated_at: string;
}
export interface QualityPerson {
  person: Named;
  labels: number;
  reliability: number | null;
  interval: Interval;
  left_share: number | null;
  left_p: number | null;
  side_biased: boolean;
  median_active_ms: number | null;
  gold: { right: number; of: number } | null;
  confusion: { classes: string[]; counts: number[][] } | null;
  evidence: { kind: string; text: string; strength: number }[];
  words: string;
}
export interface Ranking {
  items: {
    name: string;
    score: number;
    interval: Interval;
    rank_low: number;
    rank_high: number;
    battles: number;
  }[];
  side_effect?: Record<string, unknown> | null;
  fragility?: { votes: number; of: number } | null;
  words?: string;
}
export interface QualityNext {
  items: {
    task_id: string;
    prompt: string;
    information: number;
    probability: number | null;
    annotations: number;
  }[];
  simple?: { more_labels: number; tasks: number } | null;
}

export interface Snapshot {
  id: string;
  name: string;
  format: string;
  state: string;
  rows_train: number;
  rows_heldout: number;
  annotations: number;
  digest: string;
  filter: Record<string, unknown>;
  created_at: string;
  created_by: Named | string | null;
}
export interface Base {
  name: string;
  parameters: number;
  file?: string;
  fits: "fits" | "tight" | "too_big";
}
export interface RunPlan {
  rows: number;
  heldout_rows: number;
  steps: number;
  tokens: number;
  memory_bytes: number;
  memory_limit_bytes: number;
  seconds: number;
  writes: string[];
  config_digest: string;
  ready: boolean;
  missing: string[];
}
export interface Measure {
  accuracy: number | null;
  interval: Interval;
}
export interface Run {
  id: string;
  name: string;
  method: string; // dpo, sft; of a run that was added: any of hone train
  model: string;
  project_id: string;
  snapshot_id: string | null;
  settings: Record<string, unknown>;
  state: string;
  phase: string;
  step: number;
  steps: number;
  rate: number | null;
  seconds_left: number | null;
  error: string | null;
  verdict: string | null;
  before: Measure | null;
  after: Measure | null;
  p_value: number | null;
  smallest_detectable: number | null;
  created_at: string;
  finished_at: string | null;
  job_id: string | null;
}
export type MetricLine = Record<string, number | string | null>;
export type AnyPrompt = string | { role: string; content: string }[];
export interface RunAnswer {
  prompt: AnyPrompt;
  before: string;
  after: string;
}
export interface RunItem {
  id: string;
  prompt: AnyPrompt;
  before_margin: number;
  after_margin: number;
}
/** One line of completions.jsonl: what the run said, and what it earned. */
export interface RunCompletion {
  place: number;
  step: number;
  id?: string;
  prompt?: string;
  completion?: string;
  rewards?: Record<string, number | null>;
  advantage?: number | null;
  tokens?: number | null;
  ended?: boolean | null;
}
export interface RunCompletions {
  items: RunCompletion[];
  next: string | null;
  found: number;
  all: number;
  whole: boolean;
  rewards: string[];
  first_step: number;
  last_step: number;
}
export interface RunLabel {
  id: string;
  task_id: string;
  person: string; // a pseudonym
  use: "train" | "heldout";
  created_at: string;
}
export interface RunPerson {
  person: string;
  train: number;
  heldout: number;
}
export interface Job {
  id: string;
  kind: string;
  state: string;
  progress: number;
  text: string;
  error: string | null;
  created_at: string;
  finished_at: string | null;
}

export interface RegistryModel {
  id: string;
  name: string;
  kind: "base" | "adapter";
  shared: boolean;
  digest: string;
  parent: string | null;
  parent_id: string | null;
  origin: {
    run?: string;
    project?: string;
    snapshot?: string;
    method?: string;
    data?: string;
    file?: string;
  };
  bytes: number | null;
  served: boolean;
  note: string;
  created_by: Named;
  created_at: string;
}
export interface AliasTarget {
  model: string;
  model_id: string;
  digest: string;
  weight: number;
}
export interface GateSet {
  snapshot_id: string | null;
  name: string;
  digest: string;
  metric: string;
}
export interface Gate {
  heldout: GateSet;
  items_min: number;
  second: GateSet | null;
  floor: number;
  no_worse: boolean;
}
export interface Alias {
  name: string;
  version: number;
  targets: AliasTarget[];
  gate: Gate | null;
  job_id: string | null;
}
export interface AliasVersion {
  version: number;
  previous: number;
  targets: AliasTarget[];
  created_by: Named;
  created_at: string;
}
/** One set of a gate: candidate against what answered. */
export interface GateComparison {
  data: string;
  metric: string;
  n: number;
  candidate_mean: number;
  champion_mean?: number;
  difference?: number;
  interval?: [number, number];
  gained?: number;
  lost?: number;
  p?: number;
  smallest_detectable?: number;
  verdict?: string;
}
export interface GateEvidence {
  main?: GateComparison;
  second?: GateComparison;
  overlap_main?: number;
  overlap_second?: number;
}
export interface Decision {
  id: string;
  alias: string;
  candidate: string | null;
  outcome: "promoted" | "kept" | "worse" | "too_few" | "by_hand" | "split" | "rolled_back";
  moved: boolean;
  from_version: number;
  to_version: number;
  reason: string;
  evidence: unknown;
  created_by: Named;
  created_at: string;
}
export interface HeldoutSet {
  snapshot_id: string;
  name: string;
  project_id: string;
  project: string;
  rows: number;
}

export type FeedbackKind = "thumbs" | "comparison" | "edit" | "report";
export interface FeedbackItem {
  id: string;
  kind: FeedbackKind;
  verdict: string;
  reason: string;
  completion: string;
  choice: number;
  other: string | null;
  other_choice: number | null;
  person: Named;
  consent: boolean;
  comment: string;
  text: string; // of an edit
  excerpt: string; // of what was asked; empty without consent
  models: string[];
  created_at: string;
}
/** docs/formats/answer.md: what of it is shown. */
export interface KeptAnswer {
  completion: string;
  model: string;
  system_fingerprint?: string;
  settings?: Record<string, unknown>;
  messages?: { role: string; content: unknown }[];
  prompt?: string;
  text: string;
  finish_reason?: string;
}
export interface FeedbackDetail {
  feedback: FeedbackItem;
  answers: KeptAnswer[];
}
export type SamplingSource =
  "any" | "judged" | "thumbs_up" | "thumbs_down" | "compared" | "edited" | "reported";
export interface SamplingRule {
  id: string;
  name: string;
  model: string;
  source: SamplingSource;
  share: number;
  daily_cap: number;
  project_id: string;
  on: boolean;
  taken: number;
  taken_today: number;
  created_by: Named;
  created_at: string;
}

export interface AuditEvent {
  id: string | number;
  at: string;
  actor: Named | null;
  kind: string;
  object: string;
  from: unknown;
  to: unknown;
  data: unknown;
  hash: string;
}
export interface Token {
  id: string;
  name: string;
  scope: string[] | string | null;
  created_at: string;
  last_used_at: string | null;
  expires_at: string | null;
  models: string[];
  requests_per_day: number | null;
  tokens_per_day: number | null;
  weight: number;
  priority: number;
  person_id?: string;
}
/** What a key may ask of models; null = no bound, no models = all. */
export interface TokenLimits {
  models: string[];
  requests_per_day: number | null;
  tokens_per_day: number | null;
  weight: number;
  priority: number;
}
export type { Answer, Schema, TaskBody };
