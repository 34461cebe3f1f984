// One task, whole: what was asked, the answers, what everybody said, what is believed.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { change_task, clear_gold, get_task, resolve_flag, set_gold } from "../../api/tasks";
import type { Annotation, TaskDetail } from "../../api/types";
import { ago, duration, percent } from "../../pure/format";
import { t } from "../../messages";
import { useCan } from "../../state/session";
import { toast_error } from "../../state/toasts";
import { Dialog } from "../../ui/dialog";
import { Markdown } from "../../ui/markdown";
import { Bar, Loaded } from "../../ui/pieces";
import type { LoadedProject } from "../project/layout";
import { answer_words, response_name, whole_answer } from "./words";

type Task = TaskDetail & { annotations_list: Annotation[] };

export function TaskDrawer({
  id,
  project,
  close,
  move,
  place,
}: {
  id: string;
  project: LoadedProject;
  close: () => void;
  move: (by: number) => void;
  place: string;
}) {
  const query = useQuery({ queryKey: ["task", id], queryFn: () => get_task(id) });
  useEffect(() => {
    const on = (e: KeyboardEvent) => {
      if ((e.key === "j" || e.key === "k") && !(e.target as HTMLElement).matches("input,textarea,select")) {
        e.preventDefault();
        move(e.key === "j" ? 1 : -1);
      }
    };
    window.addEventListener("keydown", on);
    return () => window.removeEventListener("keydown", on);
  }, [move]);
  return (
    <Dialog
      side
      title={t.tasks.task}
      onClose={close}
      tools={
        <>
          <span className="dim small nowrap">{place}</span>
          <button type="button" className="btn quiet slim" aria-keyshortcuts="K" onClick={() => move(-1)}>
            {t.tasks.previous}
          </button>
          <button type="button" className="btn quiet slim" aria-keyshortcuts="J" onClick={() => move(1)}>
            {t.tasks.next}
          </button>
        </>
      }
    >
      <Loaded query={query} lines={7}>
        {(task) => <Detail task={task} project={project} />}
      </Loaded>
    </Dialog>
  );
}

function Detail({ task, project }: { task: Task; project: LoadedProject }) {
  const can = useCan();
  const queries = useQueryClient();
  const done = () => {
    void queries.invalidateQueries({ queryKey: ["task", task.id] });
    void queries.invalidateQueries({ queryKey: ["tasks", project.id] });
  };
  const act = (work: Promise<unknown>) => void work.then(done, toast_error);
  const prompt = task.body.prompt;
  const responses = task.body.responses;
  return (
    <div className="stack loose">
      <div className="row wrap">
        <span className={"badge" + (task.state === "done" ? " good" : "")}>
          {t.states[task.state] ?? task.state}
        </span>
        {task.is_gold && <span className="badge">{t.tasks.gold}</span>}
        <span className="dim small">{t.tasks.asked(task.annotations_list.length, task.wanted)}</span>
        <span className="mono dim small clip">{task.id}</span>
      </div>
      {task.posterior.length > 0 && (
        <section className="stack tight" aria-label={t.tasks.believed}>
          <h3>{t.tasks.believed}</h3>
          {task.posterior.slice(0, 6).map((p) => (
            <div className="posterior" key={p.answer}>
              <span>
                {responses.some((r) => r.response_id === p.answer)
                  ? response_name(
                      responses.findIndex((r) => r.response_id === p.answer),
                      responses.length,
                    )
                  : answer_words(p.answer)}
              </span>
              <Bar share={p.probability} label={answer_words(p.answer)} />
              <span className="right">{percent(p.probability)}</span>
            </div>
          ))}
        </section>
      )}
      {prompt && (
        <section>
          <h3>{t.label.prompt}</h3>
          <Markdown
            text={
              typeof prompt === "string"
                ? prompt
                : prompt.map((m) => `**${m.role}**\n\n${m.content}`).join("\n\n")
            }
          />
        </section>
      )}
      {(task.body.messages ?? []).map((m) => (
        <section key={m.index}>
          <h3>{t.label.roles[m.role] ?? m.role}</h3>
          <Markdown text={m.content} />
        </section>
      ))}
      <div className="detail-responses">
        {responses.map((r, at) => (
          <section className="panel" key={r.response_id}>
            <header style={{ minHeight: 40 }}>
              <span className="strong">
                {responses.length > 1
                  ? t.tasks.response_named(response_name(at, responses.length))
                  : t.tasks.response}
              </span>
              {r.model && <span className="dim small">{r.model}</span>}
            </header>
            <div
              className="body"
              tabIndex={0}
              role="region"
              aria-label={t.tasks.response_named(response_name(at, responses.length))}
            >
              <Markdown text={r.text} />
            </div>
          </section>
        ))}
      </div>
      <section className="stack">
        <h3>{t.tasks.said}</h3>
        {task.annotations_list.length === 0 ? (
          <p className="dim">{t.tasks.nobody}</p>
        ) : (
          <table className="table">
            <thead>
              <tr>
                <th>{t.tasks.person}</th>
                <th>{t.tasks.answer}</th>
                <th className="num">{t.tasks.time}</th>
                <th>{t.tasks.when}</th>
              </tr>
            </thead>
            <tbody>
              {task.annotations_list.map((a) => (
                <tr key={a.id}>
                  <td>
                    {a.person.name}
                    {a.status !== "valid" && (
                      <>
                        {" "}
                        <span className="badge">{t.tasks.statuses[a.status] ?? a.status}</span>
                      </>
                    )}
                  </td>
                  <td>
                    {whole_answer(a.answer, responses)}
                    {a.rationale && <div className="dim small">{a.rationale}</div>}
                  </td>
                  <td className="num dim">{a.active_ms ? duration(a.active_ms / 1000) : "–"}</td>
                  <td className="dim nowrap">{ago(a.created_at, Date.now())}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </section>
      {task.flags.length > 0 && (
        <section className="stack">
          <h3>{t.tasks.flags}</h3>
          {task.flags.map((f) => (
            <div key={f.id} className="notice warn">
              <span className="grow">
                {f.reason}
                {f.comment && <> · {f.comment}</>}
                {f.person && <span className="dim"> · {f.person.name}</span>}
              </span>
              {can("task.manage") && !f.resolved_at && (
                <button type="button" className="btn slim" onClick={() => act(resolve_flag(f.id))}>
                  {t.tasks.resolve}
                </button>
              )}
            </div>
          ))}
        </section>
      )}
      {can("task.manage") && (
        <section className="row wrap">
          {task.state === "cancelled" ? (
            <button
              type="button"
              className="btn"
              onClick={() => act(change_task(task.id, { state: "open" }))}
            >
              {t.tasks.reopen}
            </button>
          ) : (
            task.state === "open" && (
              <button
                type="button"
                className="btn danger"
                onClick={() => act(change_task(task.id, { state: "cancelled" }))}
              >
                {t.tasks.cancel}
              </button>
            )
          )}
          <button
            type="button"
            className="btn"
            onClick={() => act(change_task(task.id, { priority: task.priority + 10 }))}
          >
            {t.tasks.sooner(task.priority)}
          </button>
          {task.is_gold ? (
            <button type="button" className="btn" onClick={() => act(clear_gold(task.id))}>
              {t.tasks.no_gold}
            </button>
          ) : (
            project.task_type === "pairwise" &&
            ["left", "right", "tie"].map((w) => (
              <button
                key={w}
                type="button"
                className="btn quiet"
                onClick={() => act(set_gold(task.id, { winner: w }))}
              >
                {t.tasks.make_gold(answer_words(w))}
              </button>
            ))
          )}
        </section>
      )}
    </div>
  );
}
