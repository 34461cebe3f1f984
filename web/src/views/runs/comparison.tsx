// Two runs or more beside each other: their curves over each other, and the settings that differ.
import { useQueries } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { get_run } from "../../api/runs";
import type { Run } from "../../api/types";
import { t } from "../../messages";
import { percent } from "../../pure/format";
import { setting_name, setting_rows } from "../../pure/run_metrics";
import { series_color } from "../../ui/colors";
import { Empty, Failed, Panel, Waiting } from "../../ui/pieces";
import { ProjectPage } from "../project/layout";
import { Curves } from "./curves";
import { kMostCompared, StateBadge, VerdictBadge, is_live } from "./verdict";
import "./runs.css";

export default function ComparisonPage({ id }: { id: string }) {
  const named = (new URLSearchParams(window.location.search).get("runs") ?? "")
    .split(",")
    .filter(Boolean)
    .slice(0, kMostCompared);
  return (
    <ProjectPage id={id} page={t.runs.comparison}>
      {() => <Compared project={id} ids={[...new Set(named)]} />}
    </ProjectPage>
  );
}

function Compared({ project, ids }: { project: string; ids: string[] }) {
  const results = useQueries({
    queries: ids.map((run) => ({
      queryKey: ["run", run],
      queryFn: () => get_run(run),
      refetchInterval: (q: { state: { data?: Run | undefined } }) =>
        q.state.data && is_live(q.state.data) ? 2500 : (false as const),
    })),
  });
  if (ids.length < 2)
    return (
      <div className="panel">
        <Empty title={t.runs.comparison_few} text={t.runs.comparison_few_text}>
          <Link href={`/projects/${project}/runs`} className="btn primary">
            {t.runs.to_runs}
          </Link>
        </Empty>
      </div>
    );
  const failed = results.find((r) => r.error && !r.data);
  if (failed) return <Failed error={failed.error} retry={() => void failed.refetch()} />;
  const runs = results.map((r) => r.data).filter((r) => r !== undefined);
  if (runs.length < ids.length) return <Waiting lines={8} />;
  return (
    <>
      <div className="row wrap between">
        <h2 style={{ fontSize: 17 }}>{t.runs.comparison}</h2>
        <Link href={`/projects/${project}/runs`} className="btn">
          {t.runs.to_runs}
        </Link>
      </div>
      <Settings project={project} runs={runs} />
      <Curves runs={runs} />
    </>
  );
}

function Settings({ project, runs }: { project: string; runs: Run[] }) {
  const [only, set_only] = useState(true);
  const all = setting_rows(
    runs.map((r) => ({
      id: r.id,
      settings: {
        [t.runs.method]: t.runs.methods[r.method] ?? r.method,
        [t.runs.model]: r.model,
        [t.runs.snapshot]: r.snapshot_id,
        ...r.settings,
      },
    })),
  );
  const shown = only ? all.filter((row) => row.differs) : all;
  return (
    <Panel
      title={t.runs.settings_and_proof}
      pad={false}
      tools={
        <button
          type="button"
          className="btn quiet slim"
          aria-pressed={only}
          onClick={() => set_only((on) => !on)}
        >
          {t.runs.differences_only}
        </button>
      }
    >
      <div className="scroll-x" tabIndex={0}>
        <table className="table compared">
          <thead>
            <tr>
              <th>{t.runs.what}</th>
              {runs.map((run, i) => (
                <th key={run.id}>
                  <span className="swatch" style={{ background: series_color(i) }} aria-hidden="true" />
                  <Link href={`/projects/${project}/runs/${run.id}`}>{run.name}</Link>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <tr>
              <th scope="row">{t.home.column_state}</th>
              {runs.map((run) => (
                <td key={run.id}>
                  {is_live(run) ? (t.runs.phases[run.phase] ?? run.phase) : <StateBadge run={run} />}
                </td>
              ))}
            </tr>
            <tr>
              <th scope="row">{t.runs.verdict}</th>
              {runs.map((run) => (
                <td key={run.id}>
                  <VerdictBadge run={run} />
                </td>
              ))}
            </tr>
            <tr>
              <th scope="row">
                {t.runs.before} → {t.runs.after}
              </th>
              {runs.map((run) => (
                <td key={run.id}>
                  {percent(run.before?.accuracy, 1)} → <b>{percent(run.after?.accuracy, 1)}</b>
                </td>
              ))}
            </tr>
            {shown.map((row) => (
              <tr key={row.name} className={row.differs ? "differs" : ""}>
                <th scope="row">{setting_name(row.name, t.runs.setting_names)}</th>
                {row.values.map((value, i) => (
                  <td key={i} className="mono small">
                    {value}
                  </td>
                ))}
              </tr>
            ))}
            {shown.length === 0 && (
              <tr>
                <td colSpan={runs.length + 1} className="dim">
                  {t.runs.all_the_same}
                </td>
              </tr>
            )}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
