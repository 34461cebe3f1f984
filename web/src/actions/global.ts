// Commands that every screen has.
import { t } from "../messages";
import type { Project } from "../api/types";
import { is_dark, set_theme } from "../state/theme";
import type { Action } from "./action";

export interface GlobalContext {
  go: (path: string) => void;
  can: (permission: string) => boolean;
  open: (what: "palette" | "keys") => void;
  sign_out: () => void;
  projects: Project[];
}
const group = "go";

export const global_actions: Action<GlobalContext>[] = [
  {
    id: "palette",
    group: "page",
    keys: ["ctrl+k"],
    writing: true,
    title: () => t.actions.palette,
    run: (c) => c.open("palette"),
  },
  { id: "keys", group: "page", keys: ["?"], title: () => t.actions.keys, run: (c) => c.open("keys") },
  { id: "go.home", group, title: () => t.actions.home, run: (c) => c.go("/") },
  { id: "go.chat", group, title: () => t.actions.chat, run: (c) => c.go("/chat") },
  {
    id: "go.new_project",
    group,
    title: () => t.actions.new_project,
    shown: (c) => c.can("project.create"),
    run: (c) => c.go("/projects/new"),
  },
  {
    id: "go.models",
    group,
    title: () => t.actions.models,
    shown: (c) => c.can("model.view"),
    run: (c) => c.go("/models"),
  },
  {
    id: "go.feedback",
    group,
    title: () => t.actions.feedback,
    shown: (c) => c.can("feedback.view"),
    run: (c) => c.go("/feedback"),
  },
  {
    id: "go.people",
    group,
    title: () => t.actions.people,
    shown: (c) => c.can("people.view"),
    run: (c) => c.go("/people"),
  },
  {
    id: "go.audit",
    group,
    title: () => t.actions.audit,
    shown: (c) => c.can("audit.view"),
    run: (c) => c.go("/audit"),
  },
  { id: "go.settings", group, title: () => t.actions.settings, run: (c) => c.go("/settings") },
  {
    id: "theme",
    group: "page",
    title: () => t.actions.theme,
    run: () => set_theme(is_dark() ? "light" : "dark"),
  },
  { id: "sign_out", group: "page", title: () => t.actions.sign_out, run: (c) => c.sign_out() },
];

/** For the palette: every project and its pages, by name. */
export function project_actions(projects: Project[]): Action<GlobalContext>[] {
  return projects.slice(0, 100).flatMap((p) => {
    const to = (id: string, title: string, path: string, permission: string): Action<GlobalContext> => ({
      id: `${p.id}.${id}`,
      group: "project",
      title: () => `${p.name} · ${title}`,
      shown: (c) => c.can(permission),
      run: (c) => c.go(`/projects/${p.id}${path}`),
    });
    return [
      to("open", t.nav.overview, "", "project.view"),
      to("label", t.nav.label, "/label", "label"),
      to("tasks", t.nav.tasks, "/tasks", "task.view"),
      to("quality", t.nav.quality, "/quality", "quality.view"),
      to("snapshots", t.nav.snapshots, "/snapshots", "export"),
      to("runs", t.nav.runs, "/runs", "run.view"),
    ];
  });
}
