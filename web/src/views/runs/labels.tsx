// Which labels a run saw: ids, and people by pseudonym.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { list_run_labels, list_run_people } from "../../api/runs";
import type { Run, RunPerson } from "../../api/types";
import { t } from "../../messages";
import { count, day_time } from "../../pure/format";
import { useCan } from "../../state/session";
import { Empty, Loaded, Panel } from "../../ui/pieces";
import { MoreRows, Table } from "../../ui/table";

export function Labels({ run }: { run: Run }) {
  const can = useCan();
  const people = useQuery({
    queryKey: ["run_people", run.id],
    queryFn: () => list_run_people(run.id),
    staleTime: 60_000,
  });
  const labels = useInfiniteQuery({
    queryKey: ["run_labels", run.id],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) => list_run_labels(run.id, pageParam),
    getNextPageParam: (page) => page.next,
    staleTime: 60_000,
  });
  const rows = labels.data?.pages.flatMap((p) => p.items) ?? [];
  if (labels.data && rows.length === 0)
    return (
      <div className="panel">
        <Empty title={t.runs.labels_none} text={t.runs.labels_none_text} />
      </div>
    );
  return (
    <>
      <p className="dim">{t.runs.labels_text}</p>
      <div className="labels-seen">
        <Panel title={t.runs.people} pad={false}>
          <Loaded query={people}>{({ items }) => <People people={items} />}</Loaded>
        </Panel>
        <Panel title={t.runs.tab_labels} pad={false}>
          <Loaded query={labels}>
            {() => (
              <Table columns={[t.runs.label_id, t.runs.task, t.runs.person, t.runs.used_for, t.tasks.when]}>
                {rows.map((label) => (
                  <tr key={label.id}>
                    <td className="mono small nowrap">{label.id}</td>
                    <td className="mono small nowrap">
                      {can("task.view") ? (
                        <Link href={`/projects/${run.project_id}/tasks?task=${label.task_id}`}>
                          {label.task_id}
                        </Link>
                      ) : (
                        label.task_id
                      )}
                    </td>
                    <td className="nowrap">{label.person}</td>
                    <td>
                      <span className={"badge" + (label.use === "heldout" ? " accent" : "")}>
                        {t.runs.uses[label.use] ?? label.use}
                      </span>
                    </td>
                    <td className="dim small nowrap">{day_time(label.created_at)}</td>
                  </tr>
                ))}
              </Table>
            )}
          </Loaded>
        </Panel>
      </div>
      <MoreRows query={labels} shown={rows.length} />
    </>
  );
}

const People = ({ people }: { people: RunPerson[] }) => (
  <Table
    columns={[t.runs.person, { text: t.runs.trained_on, num: true }, { text: t.runs.measured_on, num: true }]}
  >
    {people.map((p) => (
      <tr key={p.person}>
        <td className="nowrap">{p.person}</td>
        <td className="num">{count(p.train)}</td>
        <td className="num">{count(p.heldout)}</td>
      </tr>
    ))}
  </Table>
);
