// A project at a glance: the five steps with their states, the figures, what its guideline says.
import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { get_guideline } from "../../api/projects";
import { list_runs } from "../../api/runs";
import { get_quality } from "../../api/quality";
import { ago, count, percent } from "../../pure/format";
import { steps_of, type StepId } from "../../pure/steps";
import { t } from "../../messages";
import { useCan } from "../../state/session";
import { Markdown } from "../../ui/markdown";
import { Bar, Loaded, Panel, Stat } from "../../ui/pieces";
import { ProjectPage, type LoadedProject } from "./layout";

export default function Overview({ id }: { id: string }) {
  return (
    <ProjectPage id={id} page={t.nav.overview}>
      {(project) => <Body project={project} />}
    </ProjectPage>
  );
}

function Body({ project }: { project: LoadedProject }) {
  const can = useCan();
  const c = project.counts;
  const guideline = useQuery({
    queryKey: ["guideline", project.id, "latest"],
    queryFn: () => get_guideline(project.id),
  });
  return (
    <>
      {can("quality.view") ? <Steps project={project} /> : null}
      <dl className="stats" style={{ margin: 0 }}>
        {can("quality.view") ? (
          <>
            <Stat
              label={t.project.tasks}
              note={
                project.split_state === "frozen"
                  ? t.project.split_note(project.split.train, project.split.heldout)
                  : undefined
              }
            >
              {count(c.tasks)}
            </Stat>
            <Stat label={t.project.done} note={percent(c.tasks ? c.done / c.tasks : 0)}>
              {count(c.done)}
            </Stat>
            <Stat label={t.project.labels} note={c.surplus ? t.project.surplus(c.surplus) : undefined}>
              {count(c.annotations)}
            </Stat>
            <Stat label={t.project.skips}>{count(c.skips)}</Stat>
            <Stat label={t.project.flags}>{count(c.flags)}</Stat>
          </>
        ) : (
          <>
            <Stat label={t.project.done_by_me}>{count(project.mine?.done ?? 0)}</Stat>
            <Stat label={t.project.for_me}>{count(project.mine?.available ?? 0)}</Stat>
          </>
        )}
      </dl>
      {can("quality.view") && c.tasks > 0 && <Bar share={c.done / c.tasks} label={t.project.progress} />}
      <div className="columns">
        <Panel
          title={t.project.guideline}
          tools={
            can("project.manage") ? (
              <Link href={`/projects/${project.id}/guideline`} className="btn quiet slim">
                {t.common.edit}
              </Link>
            ) : null
          }
          footer={
            guideline.data?.version
              ? t.project.guideline_by(guideline.data.version, ago(guideline.data.created_at, Date.now()))
              : undefined
          }
        >
          <Loaded query={guideline}>
            {(g) =>
              g.body.trim() ? (
                <div
                  style={{ maxHeight: 420, overflow: "auto" }}
                  tabIndex={0}
                  role="region"
                  aria-label={t.project.guideline}
                >
                  <Markdown text={g.body} />
                </div>
              ) : (
                <p className="dim">{t.project.no_guideline}</p>
              )
            }
          </Loaded>
        </Panel>
        <Panel title={t.project.about}>
          <div className="stack">
            {project.description && <p>{project.description}</p>}
            <Fact name={t.project.type} value={t.task_types[project.task_type] ?? project.task_type} />
            <Fact
              name={t.project.overlap}
              value={
                project.adaptive
                  ? t.project.overlap_adaptive(project.overlap, project.overlap_max ?? project.overlap)
                  : t.project.overlap_fixed(project.overlap)
              }
            />
            <Fact name={t.project.blind} value={project.blind ? t.common.yes : t.common.no} />
            {can("project.manage") && <Fact name={t.project.gold} value={percent(project.gold_share)} />}
            {project.skills.length > 0 && <Fact name={t.project.skills} value={project.skills.join(", ")} />}
            <Fact name={t.common.created} value={ago(project.created_at, Date.now())} />
          </div>
        </Panel>
      </div>
    </>
  );
}

const Fact = ({ name, value }: { name: string; value: string }) => (
  <div className="row between">
    <span className="dim">{name}</span>
    <span className="right">{value}</span>
  </div>
);

function Steps({ project }: { project: LoadedProject }) {
  const can = useCan();
  const runs = useQuery({
    queryKey: ["runs", project.id],
    queryFn: () => list_runs(project.id),
    enabled: can("run.view"),
  });
  const quality = useQuery({
    queryKey: ["quality", project.id],
    queryFn: () => get_quality(project.id),
    enabled: project.counts.annotations > 0,
    staleTime: 60_000,
  });
  const items = runs.data?.items ?? [];
  const finished = items.filter((r) => r.state === "done"),
    proven = finished.filter((r) => r.verdict);
  const c = project.counts;
  const steps = steps_of({
    tasks: c.tasks,
    done: c.done,
    annotations: c.annotations,
    runs: items.length,
    runs_done: finished.length,
    verdicts: proven.length,
  });
  const to: Record<StepId, string> = {
    import: can("task.import") ? "/import" : "/tasks",
    label: can("label") ? "/label" : "/tasks",
    judge: "/quality",
    train: items.length || !can("run.start") ? "/runs" : "/runs/new",
    prove: finished[0] ? "/runs/" + finished[0].id : "/runs",
  };
  const text: Record<StepId, string> = {
    import: c.tasks ? t.steps.import_done(c.tasks) : t.steps.import_now,
    label: c.tasks ? t.steps.label(c.done, c.tasks) : t.steps.later_label,
    judge:
      quality.data?.agreement.percent != null
        ? t.steps.judge(percent(quality.data.agreement.percent))
        : quality.data
          ? t.steps.judge_few
          : c.annotations
            ? t.home.labels(c.annotations)
            : t.steps.later_judge,
    train: items[0] ? t.steps.train(items.length) : t.steps.later_train,
    prove: proven[0]?.verdict
      ? (t.runs.verdicts[proven[0].verdict] ?? proven[0].verdict)
      : t.steps.later_prove,
  };
  return (
    <ol className="steps" aria-label={t.steps.title}>
      {steps.map((step, at) => (
        <li key={step.id} className={step.state} aria-current={step.state === "now" ? "step" : undefined}>
          <Link href={`/projects/${project.id}${to[step.id]}`}>
            <span className="n" aria-hidden="true">
              {step.state === "done" ? "✓" : at + 1}
            </span>
            <span className="what">
              <b>
                {t.steps.names[step.id]}
                <span className="visually-hidden"> {t.steps.states[step.state]}</span>
              </b>
              <span>{text[step.id]}</span>
            </span>
          </Link>
        </li>
      ))}
    </ol>
  );
}
