// The labelling screen: what was asked, the answers, one bar of keys. All it does goes through
// actions/labelling; all it shows comes from state/label_session.
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore, lazy, Suspense } from "react";
import { useLocation } from "wouter";
import { bind, useActions, type Bound } from "../../actions/action";
import { label_actions, slot_name, type LabelContext } from "../../actions/labelling";
import { letter_of, value_of, type Message, type Slot } from "../../pure/answer";
import { t } from "../../messages";
import type { LabelSession, LabelView } from "../../state/label_session";
import { toast } from "../../state/toasts";
import { ActionButton } from "../../ui/action_button";
import { difference_html, Markdown, warm } from "../../ui/markdown";
import { Bar, Empty, Failed, Skeleton } from "../../ui/pieces";
import { QuestionView } from "./questions";
import { OutboxChip } from "./outbox_chip";
import { is_newer } from "./read_version";
import "./label.css";

const Panels = lazy(() => import("./panels"));
const Guideline = lazy(() => import("./guideline"));
export interface LabelScreenProps { session: LabelSession; project_name: string; back: string }

export function LabelScreen({ session, project_name, back }: LabelScreenProps) {
  const view = useSyncExternalStore(session.subscribe, session.view);
  const [, go] = useLocation();
  const [differences, set_differences] = useState(false);
  const [panel, set_panel] = useState<"skip" | "flag" | null>(null);
  const [guideline, set_guideline] = useState(false);
  const [reason_open, set_reason_open] = useState(false);
  const main = useRef<HTMLElement>(null);
  const rationale = useRef<HTMLTextAreaElement>(null);
  const responses = view.current?.task.responses ?? [];
  const can_differ = responses.length === 2;

  useEffect(() => { main.current?.scrollTo({ top: 0 }); }, [view.shown]);
  useEffect(() => { if (!view.draft.rationale) set_reason_open(false); }, [view.shown]);   // eslint-disable-line
  useWarm(view, differences);
  useNotices(view, session);

  const focus_rationale = useCallback(() => { set_reason_open(true); requestAnimationFrame(() => rationale.current?.focus()); }, []);
  const stop_writing = useCallback(() => { (document.activeElement as HTMLElement | null)?.blur(); main.current?.focus({ preventScroll: true }); }, []);
  const context: LabelContext = {
    session, view, differences, can_differ, leave: () => go(back), open: set_panel, toggle_guideline: () => set_guideline((g) => !g), write_here: () => { const at = session.view().slots[session.view().cursor]; const field = at?.question.kind === "text" ? [...document.querySelectorAll<HTMLElement>("[data-slot-text]")].find((e) => e.dataset.slotText === at.id) : undefined; field?.focus(); return field !== undefined; }, toggle_differences: () => set_differences((d) => !d), focus_rationale, stop_writing,
  };
  const latest = useRef(context);
  latest.current = context;
  const get = useCallback(() => ({ ...latest.current, view: session.view() }), [session]);
  useActions(label_actions, get);
  const bound = new Map(label_actions.filter((a) => a.shown?.(context) ?? true).map((a) => [a.id, bind(a, context)]));
  const act = (id: string): Bound | undefined => bound.get("label." + id);
  const narrow = responses.length < 2 && view.phase === "working";

  return (
    <div className="label-screen">
      <TopBar view={view} guideline_open={guideline} name={project_name} leave={act("leave")!} guideline={act("guideline")!} flag={act("flag")} />
      <div className="label-middle">
      <main className="label-main" id="content" tabIndex={0} ref={main} aria-label={t.label.screen} aria-busy={view.phase === "loading"}>
        <div className={"label-page" + (narrow ? " narrow" : "")} data-assignment={view.current?.assignment_id}>
          <Body view={view} session={session} differences={differences && can_differ} act={act} back={back} />
          {view.phase === "working" && view.schema?.rationale !== "off" && (reason_open || view.draft.rationale !== "" || view.schema?.rationale === "required") && (
            <div className="rationale field">
              <label htmlFor="rationale">{t.label.rationale_label}</label>
              <textarea id="rationale" ref={rationale} value={view.draft.rationale} maxLength={10000} onChange={(event) => session.set_rationale(event.target.value)} placeholder={t.label.rationale_hint} />
            </div>)}
        </div>
      </main>
      {guideline && <Suspense fallback={null}><Guideline project_id={session.project_id} version={view.current?.guideline_version ?? 0} close={() => set_guideline(false)} /></Suspense>}
      </div>
      <BottomBar view={view} act={act} differences={differences} />
      {panel && <Suspense fallback={null}><Panels what={panel} view={view} session={session} close={() => set_panel(null)} /></Suspense>}
    </div>);
}

function TopBar({ view, guideline_open, name, leave, guideline, flag }: { view: LabelView; guideline_open: boolean; name: string; leave: Bound; guideline: Bound; flag: Bound | undefined }) {
  const all = view.done + view.available;
  const newer = !guideline_open && view.current !== null && is_newer(view.current.project_id, view.current.guideline_version);
  return (
    <header className="label-top">
      <ActionButton action={leave} className="quiet slim icon" keys={false}><span aria-hidden="true">←</span><span className="visually-hidden">{leave.title}</span></ActionButton>
      <h1 className="clip" style={{ fontSize: 14.5 }}>{name}</h1>
      <span className="grow" />
      <OutboxChip />
      <div className="figures nowrap">
        <span><b>{t.label.done_today(view.done_today)}</b></span>
        <span className="hide-small">{t.label.minutes(Math.round(view.active_ms_today / 60000))}</span>
        <span className="hide-small">{t.label.left(view.available)}</span>
      </div>
      {flag && <ActionButton action={flag} className="quiet slim hide-small">{t.label.flag_short}</ActionButton>}
      <ActionButton action={guideline} className="quiet slim" pressed={guideline_open} why={newer ? t.label.guideline_new : undefined}>{guideline.title}{newer && <><i className="dot warn" /><span className="visually-hidden">{t.label.guideline_new}</span></>}</ActionButton>
      <div className="progress"><Bar share={all ? view.done / all : 0} label={t.label.progress(view.done, all)} /></div>
    </header>);
}

function Body({ view, session, differences, act, back }: { view: LabelView; session: LabelSession; differences: boolean; act: (id: string) => Bound | undefined; back: string }) {
  const [, go] = useLocation();
  if (view.phase === "failed") return <Failed error={new Error(view.error ?? t.label.refused_load)} retry={() => session.retry()} />;
  if (view.phase === "away") return <Empty title={t.label.away} text={t.label.away_text}><button type="button" className="btn" onClick={() => session.retry()}>{t.common.retry}</button></Empty>;
  if (view.phase === "empty") {
    const reason = view.reason ?? "none-left";
    return (
      <Empty title={t.label.empty[reason] ?? t.label.empty["none-left"]!} text={t.label.empty_text[reason] ?? ""}>
        <button type="button" className="btn primary" onClick={() => go(back)}>{t.label.leave}</button>
        <button type="button" className="btn" onClick={() => session.retry()}>{t.label.look_again}</button>
        {act("undo")?.enabled && <ActionButton action={act("undo")!} />}
      </Empty>);
  }
  if (!view.current) {
    return (
      <div className="stack loose" role="status" aria-label={t.common.loading}>
        <Skeleton height={84} /><div className="responses"><Skeleton height={320} /><Skeleton height={320} /></div>
      </div>);
  }
  return <Task key={view.current.assignment_id} view={view} session={session} differences={differences} />;
}

function Task({ view, session, differences }: { view: LabelView; session: LabelSession; differences: boolean }) {
  const { task } = view.current!;
  const responses = task.responses;
  const html = useMemo(() => (differences && responses.length === 2 ? difference_html(responses[0]!.text, responses[1]!.text) : null), [differences, responses]);
  const chosen = responses.length === 2 ? view.draft.answer[view.slots.find((s) => s.question.kind === "comparison")?.question.name ?? ""] : undefined;
  const missing = new Set(view.missing.map((m) => (m === "rationale" ? m : m.id)));
  const ask = (slot: Slot) => (
    <QuestionView key={slot.id} slot={slot} answer={view.draft.answer} task={task} here={view.slots[view.cursor]?.id === slot.id} missing={missing.has(slot.id)}
      onSet={(s, value, done) => { if (view.instant && done) session.answer_at_once(s, value); else session.set(s, value, done); }} onHere={(s) => session.go_to(s.id)} />);
  const visible = view.slots.filter((s) => !(s.question.kind === "comparison" && s.part === "main"));
  const whole = visible.filter((s) => s.response_at === undefined && s.turn === undefined);
  // An order is made while reading: it stands above the answers. The rest is asked after them.
  const before = whole.filter((s) => s.question.kind === "ranking"), general = whole.filter((s) => s.question.kind !== "ranking");
  useScrollToCursor(view);
  return (
    <>
      {view.again && <div className="notice accent small">{t.label.took_back}</div>}
      {task.messages?.length ? null : <Prompt prompt={task.prompt ?? ""} />}
      {task.messages && task.messages.length > 0 && (
        <section className="turns" aria-label={t.label.conversation}>
          {task.messages.map((m) => (
            <article key={m.index} className={"turn " + m.role}>
              <div className="eyebrow">{t.label.roles[m.role] ?? m.role}</div>
              <Markdown text={m.content} />
              <Asked>{visible.filter((s) => s.turn === m.index).map(ask)}</Asked>
            </article>))}
        </section>)}
      {before.length > 0 && <section className="panel pad stack tight" aria-label={t.label.questions}>{before.map(ask)}</section>}
      {responses.length > 0 && (
        <div className={"responses" + (responses.length === 1 ? " one" : responses.length === 4 ? " four" : "")}>
          {responses.map((r, at) => (
            <section key={r.response_id} className={`response r${at}` + (chosen === r.response_id ? " chosen" : "")} aria-label={responses.length > 1 ? t.label.response(letter_of(at)) : t.label.response("")}>
              {responses.length > 1 && <header><span className="letter"><i>{letter_of(at)}</i></span><Rank view={view} response_id={r.response_id} /></header>}
              <div className="text">{r.text.trim() ? <Markdown text={r.text} html={html?.[at]} className={at === 1 ? "second" : ""} /> : <p className="dim">{t.label.empty_answer}</p>}</div>
              <Asked>{visible.filter((s) => s.response_at === at).map(ask)}</Asked>
            </section>))}
        </div>)}
      {general.length > 0 && <section className="panel pad stack tight" aria-label={t.label.questions}>{general.map(ask)}</section>}
    </>);
}

const Asked = ({ children }: { children: React.ReactNode[] }) => (children.length ? <div className="asked">{children}</div> : null);

function Rank({ view, response_id }: { view: LabelView; response_id: string }) {
  const slot = view.slots.find((s) => s.question.kind === "ranking");
  if (!slot) return null;
  const at = ((value_of(view.draft.answer, slot) as string[][] | undefined) ?? []).findIndex((group) => group.includes(response_id));
  return at >= 0 ? <span className="badge accent">{t.label.order_place(at + 1)}</span> : null;
}

const kFoldChars = 700;
function Prompt({ prompt }: { prompt: string | Message[] }) {
  const text = typeof prompt === "string" ? prompt : prompt.map((m) => `**${t.label.roles[m.role] ?? m.role}**\n\n${m.content}`).join("\n\n");
  const long = text.length > kFoldChars || text.split("\n").length > 12;
  const [folded, set_folded] = useState(long);
  return (
    <section className={"prompt-card" + (folded ? " folded" : "")} aria-label={t.label.prompt_label}>
      <div className="eyebrow">{t.label.prompt}</div>
      <Markdown text={text} />
      {long && <button type="button" className="btn quiet slim" aria-expanded={!folded} onClick={() => set_folded((f) => !f)}>{folded ? t.label.more : t.label.less}</button>}
    </section>);
}

function BottomBar({ view, act, differences }: { view: LabelView; act: (id: string) => Bound | undefined; differences: boolean }) {
  const comparison = view.slots.find((s) => s.question.kind === "comparison" && s.part === "main");
  const chosen = comparison ? view.draft.answer[comparison.question.name] : undefined;
  const place = (id: string) => ({ left: view.current?.task.responses[0]?.response_id, right: view.current?.task.responses[1]?.response_id, tie: "tie", bad: "both_bad" })[id];
  const submit = act("submit");
  const [first] = view.missing;
  const many = (view.current?.task.responses.length ?? 0) > 1;
  return (
    <footer className="label-bottom" aria-label={t.label.toolbar}>
      <div className="side">
        {["undo", "skip", "flag", "rationale"].map((id) => { const a = act(id); return a && <ActionButton key={id} action={a} className={"quiet" + (id === "flag" || id === "rationale" ? " only-small" : "")}>{id === "undo" ? t.label.undo_short : id === "flag" ? t.label.flag_short : a.title}</ActionButton>; })}
      </div>
      <div className={"answers" + (comparison ? "" : " submit")}>
        {comparison && ["left", "tie", "bad", "right"].map((id) => { const a = act(id); return a && <ActionButton key={id} action={a} className={id} pressed={view.instant ? undefined : chosen !== undefined && chosen === place(id)} />; })}
        {submit && view.current && (
          <ActionButton action={view.slots.some((s) => s.question.kind === "text") ? { ...submit, keys: [...submit.keys].reverse() } : submit} className={"primary" + (view.missing.length ? " waits" : "")}>
            {first ? t.label.missing(slot_name(first, many), view.missing.length - 1) : submit.title}
          </ActionButton>)}
      </div>
      <div className="side end">
        <Saved view={view} />
        {["differences", "rationale"].map((id) => { const a = act(id); return a && <ActionButton key={id} action={a} className="quiet hide-small" pressed={id === "differences" ? differences : undefined}>{id === "differences" ? t.label.differences_short : a.title}</ActionButton>; })}
      </div>
    </footer>);
}

function Saved({ view }: { view: LabelView }) {
  const text = { saved: t.label.draft_saved, saving: t.label.saving, unsaved: t.label.saving, clean: "" }[view.saved];
  return text && view.current ? <span className="chip-line dim hide-small nowrap" role="status">{text}</span> : null;
}

/** Text that comes next is rendered while nobody waits for it. */
function useWarm(view: LabelView, differences: boolean): void {
  useEffect(() => {
    const later = typeof requestIdleCallback === "function" ? requestIdleCallback : (f: () => void) => window.setTimeout(f, 30);
    const handle = later(() => {
      for (const a of view.ahead) {
        if (typeof a.task.prompt === "string") warm(a.task.prompt);
        for (const r of a.task.responses) warm(r.text);
        for (const m of a.task.messages ?? []) warm(m.content);
      }
    });
    return () => { if (typeof cancelIdleCallback === "function") cancelIdleCallback(handle as number); };
  }, [view.ahead, differences]);
}

/** What was just sent, for four seconds, with the way back. */
function useNotices(view: LabelView, session: LabelSession): void {
  const last = view.last;
  useEffect(() => {
    if (!last || Date.now() - last.at_ms > 1000) return;
    const winner = Object.values(last.draft.answer)[0];
    const at = last.assignment.task.responses.findIndex((r) => r.response_id === winner);
    const key = last.kind === "skip" ? "skip" : typeof winner === "string" && (winner === "tie" || winner === "both_bad") ? winner : at === 0 ? "left" : at === 1 ? "right" : "answer";
    toast(t.label.sent[key] ?? t.label.sent.answer!, { slot: "sent", action: { title: t.label.undo_short, keys: "u", run: () => session.undo() } });
  }, [last, session]);
  useEffect(() => {
    if (!view.notice) return;
    const { text, good } = view.notice;
    toast(text || (good ? t.label.exam_right : t.label.exam_wrong), { kind: good ? "good" : "bad", life_ms: 8000 });
    session.dismiss_notice();
  }, [view.notice, session]);
}

function useScrollToCursor(view: LabelView): void {
  const first = useRef(true);
  const id = view.slots[view.cursor]?.id;
  useEffect(() => {
    if (first.current) { first.current = false; return; }
    const place = [...document.querySelectorAll<HTMLElement>("[data-slot]")].find((e) => e.dataset.slot === id);
    if (!place) return;
    place.scrollIntoView({ block: "nearest" });
    place.querySelector<HTMLElement>("textarea")?.focus({ preventScroll: true });
  }, [id]);
}
