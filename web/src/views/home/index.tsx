// The first page: what to do next, for the role of who looks, then every project.
import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { Link } from "wouter";
import { list_people } from "../../api/people";
import { list_projects, type FullProject as Project } from "../../api/projects";
import type { Session } from "../../api/types";
import { t } from "../../messages";
import { useCan, useSession } from "../../state/session";
import { Bar, Empty, Loaded } from "../../ui/pieces";
import { PageHead } from "../shell/shell";
import "./home.css";

interface Step {
  title: string;
  text: string;
  to: string;
  button: string;
}

/** What somebody of this role would do next, most useful first. */
export function next_steps(session: Session, projects: Project[], people: number | null): Step[] {
  const can = (permission: string) => session.permissions.includes(permission);
  const open = projects.filter((p) => p.state === "open");
  const steps: Step[] = [];
  const mine = can("label")
    ? [...open]
        .filter((p) => (p.mine?.available ?? p.counts.open) > 0)
        .sort((a, b) => (b.mine?.done ?? 0) - (a.mine?.done ?? 0))[0]
    : undefined;
  if (mine) {
    const started = (mine.mine?.done ?? 0) > 0,
      demo = mine.id === session.demo_project;
    steps.push({
      title: started ? t.home.keep_going(mine.name) : demo ? t.home.demo : mine.name,
      text:
        demo && !started
          ? t.home.demo_text
          : mine.mine
            ? t.home.available(mine.mine.available)
            : t.home.demo_text,
      to: `/projects/${mine.id}/label`,
      button: started ? t.home.continue_here : t.home.label_here,
    });
  }
  const bare = can("task.import")
    ? projects.find((p) => p.counts.tasks === 0 && p.state === "open")
    : undefined;
  if (bare)
    steps.push({
      title: bare.name,
      text: t.home.import_text,
      to: `/projects/${bare.id}/import`,
      button: t.home.import,
    });
  const judged = [...projects].sort((a, b) => b.counts.annotations - a.counts.annotations)[0];
  if (judged && judged.counts.annotations >= 10 && can("quality.view"))
    steps.push({
      title: t.home.see_quality,
      text: `${judged.name} · ${t.home.quality_text(judged.counts.annotations)}`,
      to: `/projects/${judged.id}/quality`,
      button: t.nav.quality,
    });
  if (
    judged &&
    judged.counts.done >= 10 &&
    can("run.start") &&
    (judged.task_type === "pairwise" || judged.task_type === "ranking" || judged.task_type === "text")
  )
    steps.push({
      title: t.home.train,
      text: `${judged.name} · ${t.home.train_text(judged.counts.done)}`,
      to: `/projects/${judged.id}/runs/new`,
      button: t.nav.runs,
    });
  if (can("people.manage") && people === 1)
    steps.push({ title: t.home.invite, text: t.home.invite_text, to: "/people", button: t.nav.people });
  if (!session.has_password)
    steps.push({
      title: t.home.set_password,
      text: t.home.password_text,
      to: "/settings",
      button: t.nav.settings,
    });
  return steps.slice(0, 4);
}

export default function Home() {
  const session = useSession();
  const can = useCan();
  const projects = useQuery({ queryKey: ["projects"], queryFn: list_projects });
  const people = useQuery({
    queryKey: ["people", "", "count"],
    queryFn: () => list_people(""),
    enabled: can("people.manage"),
  });
  useEffect(() => {
    document.title = `${t.nav.home} · ${t.common.product}`;
  }, []);
  return (
    <div className="page medium">
      <PageHead title={t.home.hello(session.person.name.split(" ")[0] ?? "")}>
        {can("project.create") && (
          <Link href="/projects/new" className="btn">
            {t.home.new_project}
          </Link>
        )}
      </PageHead>
      <Loaded query={projects}>
        {({ items }) => {
          const steps = next_steps(session, items, people.data ? people.data.items.length : null);
          return (
            <>
              {steps.length > 0 && (
                <section aria-labelledby="next" className="stack">
                  <h2 id="next" className="dim">
                    {t.home.next}
                  </h2>
                  <div className="panel next-list">
                    {steps.map((step, at) => (
                      <div className="next-step" key={step.to + step.title}>
                        <div className="grow">
                          <div className="strong">{step.title}</div>
                          <div className="dim">{step.text}</div>
                        </div>
                        <Link
                          href={step.to}
                          className={"btn" + (at === 0 ? " primary" : "")}
                          aria-label={`${step.button}: ${step.title}`}
                        >
                          {step.button}
                        </Link>
                      </div>
                    ))}
                  </div>
                </section>
              )}
              <section aria-labelledby="projects" className="stack">
                <h2 id="projects" className="dim">
                  {t.home.projects}
                </h2>
                {items.length === 0 ? (
                  <div className="panel">
                    <Empty
                      title={t.home.no_projects}
                      text={can("project.create") ? t.home.no_projects_owner : t.home.no_projects_annotator}
                    >
                      {can("project.create") && (
                        <Link href="/projects/new" className="btn primary">
                          {t.home.new_project}
                        </Link>
                      )}
                    </Empty>
                  </div>
                ) : (
                  <div className="panel">
                    {items
                      .filter((p) => p.state !== "archived")
                      .map((p) => (
                        <ProjectRow key={p.id} project={p} label={can("label")} can_see={can("task.view")} />
                      ))}
                  </div>
                )}
              </section>
            </>
          );
        }}
      </Loaded>
    </div>
  );
}

function ProjectRow({ project: p, label, can_see }: { project: Project; label: boolean; can_see: boolean }) {
  // Who sees no figures of others sees the own ones.
  const all = can_see ? p.counts.tasks : (p.mine?.done ?? 0) + (p.mine?.available ?? 0),
    share = all ? (can_see ? p.counts.done : (p.mine?.done ?? 0)) / all : 0;
  const available = p.mine?.available ?? 0;
  return (
    <div className="project-row">
      <div className="grow">
        <Link href={`/projects/${p.id}`} className="project-name">
          {p.name}
        </Link>
        <div className="dim small">
          {t.task_types[p.task_type]}
          {can_see
            ? ` · ${t.home.tasks(all)} · ${t.home.labels(p.counts.annotations)}`
            : p.mine
              ? ` · ${t.home.done(p.mine.done)}`
              : ""}
        </div>
      </div>
      <div className="project-bar hide-small">
        <Bar share={share} label={p.name} />
      </div>
      {p.state !== "open" && <span className="badge">{t.states[p.state]}</span>}
      <span className="dim small nowrap hide-small" style={{ width: 128, textAlign: "right" }}>
        {p.mine ? t.home.available(available) : ""}
      </span>
      {label && p.state === "open" && (available > 0 || !p.mine) && all > 0 ? (
        <Link
          href={`/projects/${p.id}/label`}
          className="btn slim"
          aria-label={`${t.home.label_here}: ${p.name}`}
        >
          {t.home.label_here}
        </Link>
      ) : (
        <span style={{ width: 56 }} className="hide-small" />
      )}
    </div>
  );
}
