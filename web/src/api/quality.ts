import { call, type Page } from "./client";
import type { Quality, QualityNext, QualityPerson, Ranking } from "./types";

export const get_quality = (project_id: string) => call<Quality>("GET", `/projects/${project_id}/quality`);
export const get_quality_people = (project_id: string) =>
  call<Page<QualityPerson>>("GET", `/projects/${project_id}/quality/people`, { query: { limit: 200 } });
export const get_ranking = (project_id: string) =>
  call<Ranking>("GET", `/projects/${project_id}/quality/ranking`);
export const get_quality_next = (project_id: string) =>
  call<QualityNext>("GET", `/projects/${project_id}/quality/next`);
