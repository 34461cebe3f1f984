// The runs of a project, newest first, each with what it showed.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { list_runs } from "../../api/runs";
import { ago, percent } from "../../pure/format";
import { t } from "../../messages";
import { useCan } from "../../state/session";
import { Bar, Empty, Loaded, Panel } from "../../ui/pieces";
import { ProjectPage } from "../project/layout";
import { kMostCompared, StateBadge, VerdictBadge, is_live } from "./verdict";

export default function RunsPage({ id }: { id: string }) {
  return (
    <ProjectPage id={id} page={t.nav.runs}>
      {() => <Runs id={id} />}
    </ProjectPage>
  );
}

function Runs({ id }: { id: string }) {
  const can = useCan();
  const query = useQuery({
    queryKey: ["runs", id],
    queryFn: () => list_runs(id),
    refetchInterval: (q) => (q.state.data?.items.some(is_live) ? 2000 : false),
  });
  const [chosen, set_chosen] = useState<string[]>([]);
  const [, go] = useLocation();
  const few = chosen.length < 2;
  const compare = (
    <button
      type="button"
      className="btn"
      aria-disabled={few}
      onClick={() => {
        if (!few) go(`/projects/${id}/runs/compare?runs=${chosen.join(",")}`);
      }}
    >
      {t.runs.compare_runs(chosen.length)}
    </button>
  );
  const start = can("run.start") ? (
    <Link href={`/projects/${id}/runs/new`} className="btn primary">
      {t.runs.new}
    </Link>
  ) : null;
  return (
    <Loaded query={query}>
      {({ items }) =>
        items.length === 0 ? (
          <div className="panel">
            <Empty title={t.runs.none} text={t.runs.none_text}>
              {start}
            </Empty>
          </div>
        ) : (
          <Panel
            title={t.nav.runs}
            tools={
              <>
                {items.length > 1 && compare}
                {start}
              </>
            }
            pad={false}
          >
            <div className="scroll-x" tabIndex={0}>
              <table className="table">
                <thead>
                  <tr>
                    {items.length > 1 && (
                      <th>
                        <span className="visually-hidden">{t.runs.comparison}</span>
                      </th>
                    )}
                    <th>{t.common.name}</th>
                    <th>{t.runs.method}</th>
                    <th>{t.runs.model}</th>
                    <th>{t.home.column_state}</th>
                    <th>{t.runs.proof}</th>
                    <th className="num">{t.runs.before}</th>
                    <th className="num">{t.runs.after}</th>
                    <th>{t.common.created}</th>
                  </tr>
                </thead>
                <tbody>
                  {items.map((r) => (
                    <tr key={r.id}>
                      {items.length > 1 && (
                        <td>
                          <input
                            type="checkbox"
                            aria-label={t.runs.choose_run(r.name)}
                            checked={chosen.includes(r.id)}
                            disabled={!chosen.includes(r.id) && chosen.length >= kMostCompared}
                            onChange={(e) =>
                              set_chosen((old) =>
                                e.target.checked ? [...old, r.id] : old.filter((one) => one !== r.id),
                              )
                            }
                          />
                        </td>
                      )}
                      <td>
                        <Link href={`/projects/${id}/runs/${r.id}`} className="strong">
                          {r.name}
                        </Link>
                      </td>
                      <td>{t.runs.methods[r.method] ?? r.method}</td>
                      <td className="dim">{r.model}</td>
                      <td>
                        {is_live(r) ? (
                          <div className="row">
                            <span className="nowrap small">{t.runs.phases[r.phase] ?? r.phase}</span>
                            <span style={{ width: 70 }}>
                              <Bar share={r.steps ? r.step / r.steps : 0} label={r.name} />
                            </span>
                          </div>
                        ) : (
                          <StateBadge run={r} />
                        )}
                      </td>
                      <td>
                        <VerdictBadge run={r} />
                      </td>
                      <td className="num">{percent(r.before?.accuracy, 1)}</td>
                      <td className="num">{percent(r.after?.accuracy, 1)}</td>
                      <td className="dim nowrap">{ago(r.created_at, Date.now())}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </Panel>
        )
      }
    </Loaded>
  );
}
