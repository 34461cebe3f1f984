import { ask, call, type Page } from "./client";
import { kNoCounts } from "../pure/steps";
import type { Guideline, Project, Schema, TaskType } from "./types";

/** Somebody who only labels sees no figures of others; here they are zero, so that no screen has to ask. */
export type FullProject = Project & Required<Pick<Project, "counts" | "split" | "gold_share">>;
const full = (p: Project): FullProject => ({
  counts: kNoCounts,
  split: { train: 0, heldout: 0, none: 0 },
  gold_share: 0,
  ...p,
});

export interface NewProject {
  name: string;
  task_type: TaskType;
  overlap?: number;
  description?: string;
  guideline?: string;
  schema?: Schema;
}
export type ProjectChange = Partial<
  Pick<
    Project,
    | "name"
    | "description"
    | "state"
    | "overlap"
    | "overlap_max"
    | "stop_probability"
    | "lease_seconds"
    | "gold_share"
    | "show_gold_result"
    | "blind"
    | "skills"
  >
>;

export async function list_projects(): Promise<Page<FullProject>> {
  const page = await call<Page<Project>>("GET", "/projects", { query: { limit: 200 } });
  return { ...page, items: page.items.map(full) };
}
export const create_project = (project: NewProject) => call<Project>("POST", "/projects", { body: project });
export async function get_project(id: string): Promise<FullProject & { etag: string | null }> {
  const reply = await ask<Project>("GET", `/projects/${id}`);
  return { ...full(reply.data), etag: reply.headers.get("ETag") };
}
export const change_project = (id: string, change: ProjectChange, etag?: string | null) =>
  call<Project>("PATCH", `/projects/${id}`, { body: change, ...(etag ? { if_match: etag } : {}) });

export const get_guideline = (id: string, version?: number) =>
  call<Guideline>("GET", `/projects/${id}/guideline`, { query: { version } });
export const save_guideline = (id: string, body: string) =>
  call<Guideline>("POST", `/projects/${id}/guideline`, { body: { body } });
export const get_schema = (id: string, version?: number) =>
  call<{ version: number; schema: Schema }>("GET", `/projects/${id}/schema`, { query: { version } });
export const save_schema = (id: string, schema: unknown) =>
  call<{ version: number; schema: Schema }>("POST", `/projects/${id}/schema`, { body: { schema } });
export const validate_schema = (schema: unknown) =>
  call<{ valid: true; schema: Schema }>("POST", "/schemas/validate", { body: { schema } });
export const get_project_people = (id: string) =>
  call<{ people: string[] | null }>("GET", `/projects/${id}/people`);
export const set_project_people = (id: string, people: string[] | null) =>
  call<unknown>("PUT", `/projects/${id}/people`, { body: { people } });
export const freeze_split = (id: string, heldout_fraction: number, seed?: number) =>
  call<{ train: number; heldout: number }>("POST", `/projects/${id}/splits`, {
    body: seed === undefined ? { heldout_fraction } : { heldout_fraction, seed },
  });
