// Which served answers become tasks of which project.
import { call, type Page } from "./client";
import type { SamplingRule, SamplingSource } from "./types";

export interface RuleWish {
  name?: string;
  source?: SamplingSource;
  project_id?: string;
  model?: string;
  share?: number;
  daily_cap?: number;
  on?: boolean;
}
export const list_rules = () => call<Page<SamplingRule>>("GET", "/sampling-rules", { query: { limit: 100 } });
export const make_rule = (wish: RuleWish) =>
  call<SamplingRule>("POST", "/sampling-rules", { body: wish, idempotency_key: crypto.randomUUID() });
export const change_rule = (id: string, wish: RuleWish) =>
  call<SamplingRule>("PATCH", `/sampling-rules/${id}`, { body: wish });
export const remove_rule = (id: string) => call<void>("DELETE", `/sampling-rules/${id}`);
