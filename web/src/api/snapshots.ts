import { call, url_of, type Page } from "./client";
import type { Snapshot } from "./types";

export const kExportFormats = [
  "preferences",
  "sft",
  "unpaired",
  "annotations",
  "csv",
  "label-studio",
] as const;
export const list_snapshots = (project_id: string) =>
  call<Page<Snapshot>>("GET", `/projects/${project_id}/snapshots`, { query: { limit: 100 } });
export const create_snapshot = (
  project_id: string,
  body: { name: string; format?: string; min_probability?: number; min_annotations?: number },
) => call<Snapshot>("POST", `/projects/${project_id}/snapshots`, { body });
export const snapshot_file = (id: string, name: "train.jsonl" | "heldout.jsonl" | "manifest.json") =>
  url_of(`/snapshots/${id}/files/${name}`);
export const export_address = (
  project_id: string,
  query: { format: string; split?: string; min_probability?: number; min_annotations?: number },
) => url_of(`/projects/${project_id}/export`, query);
