// Can these labels be trusted? One sentence first, then why, then what to do about it.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { get_quality, get_quality_next, get_quality_people, get_ranking } from "../../api/quality";
import type { Quality, QualityPerson, Ranking } from "../../api/types";
import { ago, count, duration, fixed, p_value, percent } from "../../pure/format";
import { t } from "../../messages";
import { Curve, Figure, HeatMap, Histogram, IntervalBar } from "../../ui/charts";
import { Dialog } from "../../ui/dialog";
import { Empty, Loaded, Panel, Stat } from "../../ui/pieces";
import { ProjectPage, type LoadedProject } from "../project/layout";
import { answer_words } from "../tasks/words";

export default function QualityPage({ id }: { id: string }) {
  return (
    <ProjectPage id={id} page={t.nav.quality}>
      {(p) => <Body project={p} />}
    </ProjectPage>
  );
}

function Body({ project }: { project: LoadedProject }) {
  const query = useQuery({ queryKey: ["quality", project.id], queryFn: () => get_quality(project.id) });
  return (
    <Loaded query={query} lines={7}>
      {(q) =>
        q.labels === 0 ? (
          <div className="panel">
            <Empty title={t.quality.none} text={t.quality.none_text}>
              <Link href={`/projects/${project.id}/label`} className="btn primary">
                {t.nav.label}
              </Link>
            </Empty>
          </div>
        ) : (
          <Whole q={q} project={project} />
        )
      }
    </Loaded>
  );
}

function Whole({ q, project }: { q: Quality; project: LoadedProject }) {
  const a = q.agreement;
  return (
    <>
      <section className="panel pad stack">
        <p className="verdict">{a.words}</p>
        <p className="dim small">
          {t.quality.basis(q.labels, q.people, q.tasks_labelled)} · {t.quality.method(q.method)} ·{" "}
          {t.quality.updated(ago(q.updated_at, Date.now()))}
        </p>
      </section>
      <dl className="stats" style={{ margin: 0 }}>
        <Stat label={t.quality.percent}>{percent(a.percent)}</Stat>
        <Stat label={t.quality.alpha} note={range(a.alpha_interval)}>
          {fixed(a.alpha)}
        </Stat>
        <Stat label={t.quality.ac1} note={range(a.ac1_interval)}>
          {fixed(a.ac1)}
        </Stat>
        <Stat label={t.quality.certain}>{percent(certain_share(q))}</Stat>
      </dl>
      <div className="halves">
        <Figure
          title={t.quality.certainty}
          unit={t.quality.certainty_unit}
          sentence={t.quality.certainty_text(percent(certain_share(q)))}
        >
          <Histogram
            data={q.certainty.map((b) => ({
              bin: `${Math.round(b.from * 100)}–${Math.round(b.to * 100)}`,
              tasks: b.tasks,
            }))}
            x="bin"
            y="tasks"
            label={t.project.tasks}
            x_label={t.quality.certainty_axis}
          />
        </Figure>
        <Figure title={t.quality.answers} sentence={t.quality.answers_text}>
          <div className="shares">
            {q.answers.map((x) => (
              <div key={x.answer}>
                <span>{answer_words(x.answer)}</span>
                <span
                  className="track"
                  role="img"
                  aria-label={t.quality.share_of(
                    answer_words(x.answer),
                    percent(x.share),
                    percent(x.expected_share),
                  )}
                >
                  <span style={{ width: percent(x.share, 2).replace(" ", "") }} />
                  {x.expected_share !== null && (
                    <i style={{ left: percent(x.expected_share, 2).replace(" ", "") }} />
                  )}
                </span>
                <span className="right">{percent(x.share)}</span>
              </div>
            ))}
          </div>
        </Figure>
        {q.sides && q.sides.share_left !== null && (
          <Figure title={t.quality.sides} sentence={`${q.sides.words} ${p_value(q.sides.p_value)}`}>
            <div className="row between">
              <span>{t.quality.left_won(q.sides.left)}</span>
              <b>{t.quality.share_left(percent(q.sides.share_left, 1))}</b>
              <span className="right">{t.quality.right_won(q.sides.right)}</span>
            </div>
            <IntervalBar
              value={1 - q.sides.share_left}
              interval={q.sides.interval ? [1 - q.sides.interval[1], 1 - q.sides.interval[0]] : null}
              from={0.3}
              to={0.7}
              mark={0.5}
              label={t.quality.share_left(percent(q.sides.share_left, 1))}
            />
            <div className="row between small dim">
              <span>{t.quality.more_left}</span>
              <span>{percent(0.5)}</span>
              <span>{t.quality.more_right}</span>
            </div>
          </Figure>
        )}
        <ToDo q={q} project={project} />
      </div>
      <People project={project} />
      <div className="halves">
        {q.over_time.length > 1 && (
          <Figure title={t.quality.over_time} unit={t.quality.alpha} sentence={t.quality.over_time_text}>
            <Curve
              data={q.over_time
                .filter((o) => o.alpha !== null)
                .map((o) => ({ labels: o.labels, alpha: o.alpha }))}
              x="labels"
              series={[{ name: "alpha", label: t.quality.alpha, color: "var(--series-1)" }]}
              x_label={t.project.labels}
              format={(v) => v.toFixed(2)}
            />
          </Figure>
        )}
        <Models project={project} />
      </div>
    </>
  );
}
const range = (i: [number, number] | null): string => (i ? `${fixed(i[0])} – ${fixed(i[1])}` : "");
function certain_share(q: Quality): number | null {
  const all = q.certainty.reduce((n, b) => n + b.tasks, 0);
  return all ? q.certainty.filter((b) => b.from >= 0.79).reduce((n, b) => n + b.tasks, 0) / all : null;
}

/** Links of the server are addresses of this page, or nothing. */
function inner(link: string | null | undefined): string | null {
  return link && link.startsWith("/") && !link.startsWith("//") ? link : null;
}

function ToDo({ q, project }: { q: Quality; project: LoadedProject }) {
  const next = useQuery({
    queryKey: ["quality_next", project.id],
    queryFn: () => get_quality_next(project.id),
  });
  return (
    <Panel title={t.quality.to_do} pad={false}>
      <div className="body stack">
        {q.to_do.length === 0 && <p className="dim">{t.quality.nothing_to_do}</p>}
        {q.to_do.map((x) => (
          <div className="row between" key={x.text}>
            <span>{x.text}</span>
            {inner(x.link) && (
              <Link href={inner(x.link)!} className="btn slim">
                {t.quality.look}
              </Link>
            )}
          </div>
        ))}
        {next.data?.simple && next.data.simple.more_labels > 0 && (
          <p className="dim small">
            {t.quality.simple(next.data.simple.more_labels, next.data.simple.tasks)}
          </p>
        )}
      </div>
      {next.data && next.data.items.length > 0 && (
        <table className="table">
          <thead>
            <tr>
              <th>{t.quality.ask_next}</th>
              <th className="num">{t.quality.certainty_now}</th>
              <th className="num">{t.tasks.labels}</th>
            </tr>
          </thead>
          <tbody>
            {next.data.items.slice(0, 6).map((x) => (
              <tr key={x.task_id}>
                <td style={{ maxWidth: 0, width: "100%" }}>
                  <div className="clip">
                    <Link href={`/projects/${project.id}/tasks?task=${x.task_id}&sort=certainty`}>
                      {x.prompt}
                    </Link>
                  </div>
                </td>
                <td className="num">{percent(x.probability)}</td>
                <td className="num">{x.annotations}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function People({ project }: { project: LoadedProject }) {
  const query = useQuery({
    queryKey: ["quality_people", project.id],
    queryFn: () => get_quality_people(project.id),
  });
  const [open, set_open] = useState<QualityPerson | null>(null);
  const [all, set_all] = useState(false);
  return (
    <Panel title={t.quality.people} pad={false} footer={t.quality.people_text}>
      <div className="body" style={{ padding: query.data ? 0 : undefined }}>
        <Loaded query={query}>
          {({ items }) => (
            <div className="scroll-x" tabIndex={0}>
              <table className="table">
                <thead>
                  <tr>
                    <th>{t.tasks.person}</th>
                    <th className="num">{t.project.labels}</th>
                    <th style={{ width: "28%" }}>{t.quality.reliability}</th>
                    <th className="num">{t.quality.left_share}</th>
                    <th className="num">{t.quality.median_time}</th>
                    <th className="num">{t.quality.gold}</th>
                    <th>{t.quality.words}</th>
                  </tr>
                </thead>
                <tbody>
                  {(all ? items : items.slice(0, 12)).map((p) => (
                    <tr key={p.person.id}>
                      <td>
                        <button
                          type="button"
                          className="btn quiet slim flush"
                          style={{ color: "var(--ink)" }}
                          onClick={() => set_open(p)}
                        >
                          {p.person.name}
                        </button>
                      </td>
                      <td className="num">{count(p.labels)}</td>
                      <td>
                        <div className="row">
                          <IntervalBar
                            value={p.reliability}
                            interval={p.interval}
                            tone={p.reliability !== null && p.reliability < 0.4 ? "bad" : "plain"}
                            label={t.quality.reliability_is(
                              p.person.name,
                              percent(p.reliability),
                              p.interval ? `${percent(p.interval[0])} – ${percent(p.interval[1])}` : "",
                            )}
                          />
                          <span className="nowrap" style={{ width: 44, textAlign: "right" }}>
                            {percent(p.reliability)}
                          </span>
                        </div>
                      </td>
                      <td className={"num" + (p.side_biased ? " bad" : "")}>
                        {percent(p.left_share)}
                        {p.side_biased && <span className="visually-hidden"> {t.quality.side_biased}</span>}
                      </td>
                      <td className="num dim">
                        {p.median_active_ms ? duration(p.median_active_ms / 1000) : "–"}
                      </td>
                      <td className="num dim">
                        {p.gold && p.gold.of ? `${p.gold.right} / ${p.gold.of}` : "–"}
                      </td>
                      <td className="small in-words">{p.words}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
              {items.length > 12 && (
                <div style={{ padding: 10, textAlign: "center", borderTop: "1px solid var(--line)" }}>
                  <button type="button" className="btn quiet slim" onClick={() => set_all((v) => !v)}>
                    {all ? t.quality.fewer : t.quality.all_people(items.length)}
                  </button>
                </div>
              )}
            </div>
          )}
        </Loaded>
      </div>
      {open && <PersonSheet p={open} close={() => set_open(null)} />}
    </Panel>
  );
}

function PersonSheet({ p, close }: { p: QualityPerson; close: () => void }) {
  return (
    <Dialog title={p.person.name} onClose={close} wide>
      <div className="stack loose">
        <p className="verdict" style={{ fontSize: 15.5 }}>
          {p.words}
        </p>
        {p.evidence.length > 0 && (
          <section className="stack tight">
            <h3>{t.quality.evidence}</h3>
            {p.evidence.map((e) => (
              <div key={e.text} className="notice warn">
                {e.text}
              </div>
            ))}
          </section>
        )}
        {p.confusion && (
          <section className="stack">
            <h3>{t.quality.confusion}</h3>
            <HeatMap
              names={p.confusion.classes.map(answer_words)}
              counts={p.confusion.counts}
              row_title={t.quality.believed}
              column_title={t.quality.said}
              format={(s) => percent(s)}
            />
            <p className="dim small">{t.quality.confusion_text}</p>
          </section>
        )}
        <p className="dim small">{t.quality.person_note}</p>
      </div>
    </Dialog>
  );
}

function Models({ project }: { project: LoadedProject }) {
  const query = useQuery({
    queryKey: ["ranking", project.id],
    queryFn: () => get_ranking(project.id),
    retry: false,
  });
  const [all, set_all] = useState(false);
  if (query.error || (query.data && query.data.items.length === 0)) return null;
  return (
    <Figure
      title={t.quality.ranking}
      sentence={
        query.data?.words ??
        (query.data?.fragility
          ? t.quality.fragile(query.data.fragility.votes, query.data.fragility.of)
          : t.quality.ranking_text)
      }
    >
      <Loaded query={query}>{(r) => <Scores r={r} all={all} toggle={() => set_all((v) => !v)} />}</Loaded>
    </Figure>
  );
}
function Scores({ r, all, toggle }: { r: Ranking; all: boolean; toggle: () => void }) {
  const shown = all ? r.items : r.items.slice(0, 10);
  const low = Math.min(...r.items.map((i) => i.interval?.[0] ?? i.score)),
    high = Math.max(...r.items.map((i) => i.interval?.[1] ?? i.score));
  return (
    <>
      <table className="table">
        <thead>
          <tr>
            <th>{t.quality.rank}</th>
            <th>{t.quality.model}</th>
            <th style={{ width: "42%" }}>{t.quality.score}</th>
            <th className="num">{t.quality.votes}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((i) => (
            <tr key={i.name}>
              <td className="dim nowrap">
                {i.rank_low === i.rank_high ? i.rank_low : `${i.rank_low}–${i.rank_high}`}
              </td>
              <td>{i.name}</td>
              <td>
                <div className="row">
                  <IntervalBar
                    value={i.score}
                    interval={i.interval}
                    from={low}
                    to={high}
                    label={`${i.name} ${i.score.toFixed(0)}`}
                  />
                  <span style={{ width: 40, textAlign: "right" }}>{i.score.toFixed(0)}</span>
                </div>
              </td>
              <td className="num dim">{count(i.battles)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {r.items.length > 10 && (
        <div style={{ textAlign: "center" }}>
          <button type="button" className="btn quiet slim" onClick={toggle}>
            {all ? t.quality.fewer : t.quality.all_models(r.items.length)}
          </button>
        </div>
      )}
    </>
  );
}
