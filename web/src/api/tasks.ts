import { call, type Page } from "./client";
import type { Annotation, TaskDetail, TaskItem } from "./types";

export interface TaskFilter {
  q?: string;
  state?: string;
  split?: string;
  flagged?: boolean;
  sort?: string;
}
export const list_tasks = (
  project_id: string,
  filter: TaskFilter,
  after: string | null,
  signal?: AbortSignal,
) =>
  call<Page<TaskItem>>("GET", `/projects/${project_id}/tasks`, {
    query: { ...filter, flagged: filter.flagged || undefined, after, limit: 200 },
    ...(signal ? { signal } : {}),
  });

/** In the detail `annotations` is the list; in a row of the table it is the number. Here both have a name. */
export async function get_task(id: string): Promise<TaskDetail & { annotations_list: Annotation[] }> {
  const task = await call<Omit<TaskDetail, "annotations"> & { annotations: Annotation[] }>(
    "GET",
    `/tasks/${id}`,
  );
  const list = Array.isArray(task.annotations) ? task.annotations : [];
  return { ...task, annotations: list.length, annotations_list: list };
}
export const change_task = (id: string, change: { priority?: number; state?: "open" | "cancelled" }) =>
  call<TaskItem>("PATCH", `/tasks/${id}`, { body: change });
export const set_gold = (id: string, answer: unknown, explanation?: string) =>
  call<TaskItem>("PUT", `/tasks/${id}/gold`, { body: explanation ? { answer, explanation } : { answer } });
export const clear_gold = (id: string) => call<TaskItem>("DELETE", `/tasks/${id}/gold`);
export const resolve_flag = (id: string) => call<void>("POST", `/flags/${id}/resolve`, { body: {} });
