// One run: where it is, its curves over the whole way, what it proved, answers before and after.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { cancel_run, compare_run, get_run, get_run_answers, get_run_items } from "../../api/runs";
import type { AnyPrompt, Run } from "../../api/types";
import { duration, fixed, p_value, percent } from "../../pure/format";
import { setting_name, words_of_setting } from "../../pure/run_metrics";
import { t } from "../../messages";
import { useCan } from "../../state/session";
import { toast_error } from "../../state/toasts";
import { IntervalBar } from "../../ui/charts";
import { difference_html, Markdown } from "../../ui/markdown";
import { Bar, Loaded, Panel } from "../../ui/pieces";
import { ProjectPage } from "../project/layout";
import { Completions } from "./completions";
import { Curves } from "./curves";
import { Labels } from "./labels";
import { AddToRegistry } from "./registry";
import { StateBadge, VerdictBadge, is_live } from "./verdict";
import "./runs.css";

const kPhases = [
  "queued",
  "loading",
  "measuring before",
  "answers before",
  "reference",
  "training",
  "measuring after",
  "answers after",
];

export type RunTab = "run" | "completions" | "labels";

export default function RunPage({ id, run_id, tab }: { id: string; run_id: string; tab: string }) {
  const query = useQuery({
    queryKey: ["run", run_id],
    queryFn: () => get_run(run_id),
    refetchInterval: (q) => (q.state.data && is_live(q.state.data) ? 1500 : false),
  });
  return (
    <ProjectPage id={id} page={query.data?.name ?? t.nav.runs}>
      {() => (
        <Loaded query={query}>
          {(run) => (
            <>
              <Head run={run} />
              <Tabs base={`/projects/${id}/runs/${run_id}`} tab={tab} />
              {tab === "completions" ? (
                <Completions run={run} />
              ) : tab === "labels" ? (
                <Labels run={run} />
              ) : (
                <Whole run={run} />
              )}
            </>
          )}
        </Loaded>
      )}
    </ProjectPage>
  );
}

function Tabs({ base, tab }: { base: string; tab: string }) {
  const tabs: [RunTab, string, string][] = [
    ["run", base, t.runs.tab_run],
    ["completions", base + "/completions", t.runs.tab_completions],
    ["labels", base + "/labels", t.runs.tab_labels],
  ];
  return (
    <nav className="tabs sub-tabs" aria-label={t.runs.tabs}>
      {tabs.map(([name, to, title]) => (
        <Link key={name} href={to} aria-current={name === tab ? "page" : undefined}>
          {title}
        </Link>
      ))}
    </nav>
  );
}

function Head({ run }: { run: Run }) {
  const live = is_live(run);
  const can = useCan();
  const queries = useQueryClient();
  return (
    <div className="row between wrap">
      <div className="row wrap">
        <h2 style={{ fontSize: 17 }}>{run.name}</h2>
        {!live && <StateBadge run={run} />}
        <span className="dim">
          {t.runs.methods[run.method] ?? run.method} · {run.model}
        </span>
      </div>
      <div className="row wrap">
        {live && can("run.start") && (
          <button
            type="button"
            className="btn danger"
            onClick={() =>
              void cancel_run(run.id).then(
                () => queries.invalidateQueries({ queryKey: ["run", run.id] }),
                toast_error,
              )
            }
          >
            {t.runs.stop}
          </button>
        )}
        {run.state === "done" && <AddToRegistry run={run} />}
        {run.state === "done" && <Compare run={run} />}
      </div>
    </div>
  );
}

function Whole({ run }: { run: Run }) {
  const live = is_live(run);
  return (
    <>
      {run.error && (
        <div className="notice bad" role="alert">
          {run.error}
        </div>
      )}
      {!live && run.verdict && <Proof run={run} />}
      {live && <Progress run={run} />}
      <Curves runs={[run]} />
      {!live && <Answers run={run} />}
      {!live && <Items run={run} />}
      <Panel title={t.runs.settings}>
        <dl className="settings">
          {Object.entries({ snapshot: run.snapshot_id, ...run.settings })
            .filter(([, v]) => v !== null && v !== "")
            .map(([k, v]) => (
              <div key={k}>
                <dt>{setting_name(k, t.runs.setting_names)}</dt>
                <dd className="mono small clip" title={words_of_setting(v)}>
                  {words_of_setting(v)}
                </dd>
              </div>
            ))}
        </dl>
      </Panel>
    </>
  );
}

function Compare({ run }: { run: Run }) {
  const can = useCan();
  const [, go] = useLocation();
  const [busy, set_busy] = useState(false);
  if (!can("run.start")) return null;
  return (
    <button
      type="button"
      className="btn primary"
      aria-disabled={busy}
      onClick={() => {
        if (busy) return;
        set_busy(true);
        compare_run(run.id).then(
          (p) => go(`/projects/${p.id}/label`),
          (e) => {
            set_busy(false);
            toast_error(e);
          },
        );
      }}
    >
      {t.runs.compare}
    </button>
  );
}

function Progress({ run }: { run: Run }) {
  // No reference is measured for a method that has none.
  const phases = kPhases.filter((p) => p !== "reference" || run.method !== "sft");
  const at = phases.indexOf(run.phase);
  const rate = run.rate ?? 0;
  return (
    <section className="panel pad stack" aria-label={t.runs.progress}>
      <ol className="phases">
        {phases.map((p, i) => (
          <li
            key={p}
            className={i < at ? "done" : i === at ? "now" : ""}
            aria-current={i === at ? "step" : undefined}
          >
            {i < at && <span aria-hidden="true">✓</span>}
            {t.runs.phases[p]}
          </li>
        ))}
      </ol>
      {at >= 0 && <p className="place dim small">{t.runs.place(at + 1, phases.length)}</p>}
      <Bar share={run.steps ? run.step / run.steps : 0} label={t.runs.progress} />
      {run.steps > 0 && (
        <div className="row between wrap dim">
          <span>{t.runs.counted(run.phase, run.step, run.steps)}</span>
          <span>
            {rate > 0 &&
              (rate < 1
                ? t.runs.slow_rate(run.phase, duration(1 / rate))
                : t.runs.rate(run.phase, fixed(rate, 1)))}
          </span>
          <span>{run.seconds_left !== null ? t.runs.left(duration(run.seconds_left)) : ""}</span>
        </div>
      )}
    </section>
  );
}

function Proof({ run }: { run: Run }) {
  const row = (name: string, m: Run["before"]) =>
    m && (
      <div className="measure">
        <span className="dim">{name}</span>
        <IntervalBar
          value={m.accuracy}
          interval={m.interval}
          mark={0.5}
          label={`${name} ${percent(m.accuracy, 1)}`}
        />
        <span className="right">
          <b>{percent(m.accuracy, 1)}</b>{" "}
          {m.interval && (
            <span className="dim small nowrap">
              {percent(m.interval[0])}–{percent(m.interval[1])}
            </span>
          )}
        </span>
      </div>
    );
  return (
    <section className="panel pad stack" aria-label={t.runs.proof}>
      <div className="row wrap">
        <VerdictBadge run={run} />
        <p className="verdict" style={{ fontSize: 16 }}>
          {t.runs.verdict_text[run.verdict ?? ""] ?? ""}
        </p>
      </div>
      {row(t.runs.before, run.before)}
      {row(t.runs.after, run.after)}
      <p className="dim small">
        {t.runs.proof_note(
          p_value(run.p_value),
          run.smallest_detectable === null ? null : percent(run.smallest_detectable, 1),
        )}
      </p>
    </section>
  );
}

function Answers({ run }: { run: Run }) {
  const query = useQuery({
    queryKey: ["run_answers", run.id],
    queryFn: () => get_run_answers(run.id),
    staleTime: 60_000,
  });
  const [differences, set_differences] = useState(false);
  const [shown, set_shown] = useState(3);
  const items = query.data?.items ?? [];
  if (!items.length) return null;
  return (
    <Panel
      title={t.runs.side_by_side}
      pad={false}
      footer={t.runs.side_by_side_text}
      tools={
        <button
          type="button"
          className="btn quiet slim"
          aria-pressed={differences}
          onClick={() => set_differences((d) => !d)}
        >
          {t.label.differences_short}
        </button>
      }
    >
      {items.slice(0, shown).map((a, at) => {
        const html = differences ? difference_html(a.before, a.after) : null;
        return (
          <article className="answer-item stack" key={at}>
            <Markdown text={prompt_text(a.prompt)} className="small" />
            <div className="before-after">
              <div>
                <div className="eyebrow dim small strong">{t.runs.before}</div>
                <Answer text={a.before} html={html?.[0]} />
              </div>
              <div>
                <div className="eyebrow dim small strong">{t.runs.after}</div>
                <Answer text={a.after} html={html?.[1]} className="second" />
              </div>
            </div>
          </article>
        );
      })}
      {items.length > shown && (
        <div style={{ padding: 10, textAlign: "center" }}>
          <button type="button" className="btn quiet" onClick={() => set_shown((n) => n + 10)}>
            {t.common.more}
          </button>
        </div>
      )}
    </Panel>
  );
}

const prompt_text = (prompt: AnyPrompt): string =>
  typeof prompt === "string" ? prompt : prompt.map((m) => m.content).join("\n\n");

function Answer({
  text,
  html,
  className = "",
}: {
  text: string;
  html?: string | undefined;
  className?: string;
}) {
  return text.trim() ? (
    <div className="long" tabIndex={0}>
      <Markdown text={text} html={html} className={className} />
    </div>
  ) : (
    <p className="dim">{t.label.empty_answer}</p>
  );
}

function Items({ run }: { run: Run }) {
  const query = useQuery({
    queryKey: ["run_items", run.id],
    queryFn: () => get_run_items(run.id),
    staleTime: 60_000,
  });
  const [shown, set_shown] = useState(8);
  const items = query.data?.items ?? [];
  if (!items.length) return null;
  return (
    <Panel title={t.runs.items} pad={false} footer={t.runs.items_text}>
      <div className="scroll-x" tabIndex={0}>
        <table className="table">
          <thead>
            <tr>
              <th>{t.label.prompt}</th>
              <th className="num">{t.runs.before}</th>
              <th className="num">{t.runs.after}</th>
              <th className="num">{t.runs.change}</th>
            </tr>
          </thead>
          <tbody>
            {items.slice(0, shown).map((i) => {
              const d = i.after_margin - i.before_margin;
              return (
                <tr key={i.id}>
                  <td style={{ maxWidth: 0, width: "100%" }}>
                    <div className="clip">{prompt_text(i.prompt)}</div>
                  </td>
                  <td className="num dim">{fixed(i.before_margin)}</td>
                  <td className="num">{fixed(i.after_margin)}</td>
                  <td className={"num " + (d > 0 ? "good" : d < 0 ? "bad" : "")}>
                    {d > 0 ? "+" : ""}
                    {fixed(d)}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {items.length > shown && (
        <div style={{ padding: 10, textAlign: "center", borderTop: "1px solid var(--line)" }}>
          <button type="button" className="btn quiet slim" onClick={() => set_shown((n) => n + 40)}>
            {t.common.more}
          </button>
        </div>
      )}
    </Panel>
  );
}
