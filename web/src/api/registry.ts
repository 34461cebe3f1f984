import { call, type Page } from "./client";
import type { Alias, AliasVersion, Decision, HeldoutSet, RegistryModel } from "./types";

const kMany = { query: { limit: 200 } };
const path_of = (alias: string) => `/aliases/${encodeURIComponent(alias)}`;

export const list_registry = () => call<Page<RegistryModel>>("GET", "/models", kMany);
export const add_model = (wish: { name: string; run_id?: string; base?: string }) =>
  call<RegistryModel>("POST", "/models", { body: wish });
export const remove_model = (id: string) => call<void>("DELETE", `/models/${id}`);

export const list_aliases = () => call<Page<Alias>>("GET", "/aliases", kMany);
export interface PromoteWish {
  model: string;
  expected_version: number;
  reason?: string;
  force?: boolean;
}
/** A decision at once; or, through a gate, a job that measures and then decides. */
export const promote = (alias: string, wish: PromoteWish) =>
  call<Decision | { job_id: string }>("POST", `${path_of(alias)}/promote`, { body: wish });
export const split = (
  alias: string,
  wish: { models: { model: string; weight: number }[]; expected_version: number; reason?: string },
) => call<Decision>("POST", `${path_of(alias)}/split`, { body: wish });
export const roll_back = (alias: string, wish: { expected_version: number; reason?: string }) =>
  call<Decision>("POST", `${path_of(alias)}/rollback`, { body: wish });
export const list_decisions = (alias: string, after: string | null, limit = 20) =>
  call<Page<Decision>>("GET", `${path_of(alias)}/decisions`, { query: { limit, after } });
export const list_versions = (alias: string) =>
  call<Page<AliasVersion>>("GET", `${path_of(alias)}/versions`, kMany);
export interface GateWish {
  heldout: string;
  metric?: string;
  items_min?: number;
  second?: string;
  second_metric?: string;
  floor?: number;
  no_worse?: boolean;
}
export const set_gate = (alias: string, wish: GateWish) =>
  call<Alias>("PUT", `${path_of(alias)}/gate`, { body: wish });
export const remove_gate = (alias: string) => call<void>("DELETE", `${path_of(alias)}/gate`);
export const list_heldout_sets = () => call<Page<HeldoutSet>>("GET", "/heldout-sets", kMany);
