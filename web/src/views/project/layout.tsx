// The head and tabs that every page of a project has, and the project they show.
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useEffect, useRef, type ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { get_project, type FullProject } from "../../api/projects";
import { t } from "../../messages";
import { useCan } from "../../state/session";
import { Failed, Loaded } from "../../ui/pieces";
import "./project.css";

export type LoadedProject = FullProject & { etag: string | null };
export const useProject = (id: string): UseQueryResult<LoadedProject> =>
  useQuery({ queryKey: ["project", id], queryFn: () => get_project(id) });

export function ProjectPage({
  id,
  page,
  children,
}: {
  id: string;
  page: string;
  children: (project: LoadedProject) => ReactNode;
}) {
  const query = useProject(id);
  const can = useCan();
  const [path] = useLocation();
  const base = `/projects/${id}`;
  const tabs: [string, string, boolean][] = [
    ["", t.nav.overview, true],
    ["/guideline", t.project.guideline, can("project.view")],
    ["/import", t.project.import, can("task.import")],
    ["/tasks", t.nav.tasks, can("task.view")],
    ["/quality", t.nav.quality, can("quality.view")],
    ["/snapshots", t.nav.snapshots, can("export")],
    ["/runs", t.nav.runs, can("run.view")],
    ["/schema", t.project.schema, can("project.manage")],
    ["/settings", t.project.settings, can("project.manage")],
  ];
  const nav = useRef<HTMLElement>(null);
  useEffect(() => {
    // On a phone the tabs are wider than the screen: the present one is in sight.
    nav.current
      ?.querySelector('[aria-current="page"]')
      ?.scrollIntoView?.({ block: "nearest", inline: "center" });
  }, [path]);
  useEffect(() => {
    document.title = [page, query.data?.name, t.common.product].filter(Boolean).join(" · ");
  }, [page, query.data?.name]);
  return (
    <div className="page">
      <div className="page-head" style={{ alignItems: "center" }}>
        <div className="row grow">
          <h1 className="clip">{query.data?.name ?? " "}</h1>
          {query.data && query.data.state !== "open" && (
            <span className="badge">{t.states[query.data.state]}</span>
          )}
        </div>
        {can("label") && query.data?.state === "open" && (
          <Link href={base + "/label"} className="btn primary">
            {t.nav.label}
          </Link>
        )}
      </div>
      <nav ref={nav} className="tabs" aria-label={t.nav.project} style={{ marginTop: -10 }}>
        {tabs
          .filter(([, , shown]) => shown)
          .map(([to, title]) => {
            const here = to === "" ? path === base : path === base + to || path.startsWith(base + to + "/");
            return (
              <Link key={to} href={base + to} aria-current={here ? "page" : undefined}>
                {title}
              </Link>
            );
          })}
      </nav>
      {query.error && query.data ? <Failed error={query.error} retry={() => void query.refetch()} /> : null}
      <Loaded query={query} lines={7}>
        {children}
      </Loaded>
    </div>
  );
}
