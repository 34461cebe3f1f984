// One task: what was asked, the answers side by side, the questions where they belong.
import { useEffect, useMemo, useRef, useState } from "react";
import { letter_of, value_of, type Message, type Slot } from "../../pure/answer";
import { t } from "../../messages";
import type { LabelSession, LabelView } from "../../state/label_session";
import { difference_html, Markdown } from "../../ui/markdown";
import { QuestionView } from "./questions";

export function TaskView({
  view,
  session,
  differences,
}: {
  view: LabelView;
  session: LabelSession;
  differences: boolean;
}) {
  const { task } = view.current!;
  const responses = task.responses;
  const html = useMemo(
    () =>
      differences && responses.length === 2 ? difference_html(responses[0]!.text, responses[1]!.text) : null,
    [differences, responses],
  );
  const chosen =
    responses.length === 2
      ? view.draft.answer[view.slots.find((s) => s.question.kind === "comparison")?.question.name ?? ""]
      : undefined;
  const missing = new Set(view.missing.map((m) => (m === "rationale" ? m : m.id)));
  const ask = (slot: Slot) => (
    <QuestionView
      key={slot.id}
      slot={slot}
      answer={view.draft.answer}
      task={task}
      here={view.slots[view.cursor]?.id === slot.id}
      missing={missing.has(slot.id)}
      onSet={(s, value, done) => {
        if (view.instant && done) session.answer_at_once(s, value);
        else session.set(s, value, done);
      }}
      onHere={(s) => session.go_to(s.id)}
    />
  );
  const visible = view.slots.filter((s) => !(s.question.kind === "comparison" && s.part === "main"));
  const whole = visible.filter((s) => s.response_at === undefined && s.turn === undefined);
  // An order is made while reading: it stands above the answers. The rest is asked after them.
  const before = whole.filter((s) => s.question.kind === "ranking"),
    general = whole.filter((s) => s.question.kind !== "ranking");
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
            </article>
          ))}
        </section>
      )}
      {before.length > 0 && (
        <section className="panel pad stack tight" aria-label={t.label.questions}>
          {before.map(ask)}
        </section>
      )}
      {responses.length > 0 && (
        <div
          className={"responses" + (responses.length === 1 ? " one" : responses.length === 4 ? " four" : "")}
        >
          {responses.map((r, at) => (
            <section
              key={r.response_id}
              className={`response r${at}` + (chosen === r.response_id ? " chosen" : "")}
              aria-label={responses.length > 1 ? t.label.response(letter_of(at)) : t.label.response("")}
            >
              {responses.length > 1 && (
                <header>
                  <span className="letter">
                    <i>{letter_of(at)}</i>
                  </span>
                  <Rank view={view} response_id={r.response_id} />
                </header>
              )}
              <div className="text">
                {r.text.trim() ? (
                  <Markdown text={r.text} html={html?.[at]} className={at === 1 ? "second" : ""} />
                ) : (
                  <p className="dim">{t.label.empty_answer}</p>
                )}
              </div>
              <Asked>{visible.filter((s) => s.response_at === at).map(ask)}</Asked>
            </section>
          ))}
        </div>
      )}
      {general.length > 0 && (
        <section className="panel pad stack tight" aria-label={t.label.questions}>
          {general.map(ask)}
        </section>
      )}
    </>
  );
}

const Asked = ({ children }: { children: React.ReactNode[] }) =>
  children.length ? <div className="asked">{children}</div> : null;

function Rank({ view, response_id }: { view: LabelView; response_id: string }) {
  const slot = view.slots.find((s) => s.question.kind === "ranking");
  if (!slot) return null;
  const at = ((value_of(view.draft.answer, slot) as string[][] | undefined) ?? []).findIndex((group) =>
    group.includes(response_id),
  );
  return at >= 0 ? <span className="badge accent">{t.label.order_place(at + 1)}</span> : null;
}

const kFoldChars = 700;
function Prompt({ prompt }: { prompt: string | Message[] }) {
  const text =
    typeof prompt === "string"
      ? prompt
      : prompt.length === 1
        ? prompt[0]!.content
        : prompt.map((m) => `**${t.label.roles[m.role] ?? m.role}**\n\n${m.content}`).join("\n\n");
  const long = text.length > kFoldChars || text.split("\n").length > 12;
  const [folded, set_folded] = useState(long);
  return (
    <section className={"prompt-card" + (folded ? " folded" : "")} aria-label={t.label.prompt_label}>
      <div className="eyebrow">{t.label.prompt}</div>
      <Markdown text={text} />
      {long && (
        <button
          type="button"
          className="btn quiet slim"
          aria-expanded={!folded}
          onClick={() => set_folded((f) => !f)}
        >
          {folded ? t.label.more : t.label.less}
        </button>
      )}
    </section>
  );
}

function useScrollToCursor(view: LabelView): void {
  const first = useRef(true);
  const id = view.slots[view.cursor]?.id;
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    const place = [...document.querySelectorAll<HTMLElement>("[data-slot]")].find(
      (e) => e.dataset.slot === id,
    );
    if (!place) return;
    place.scrollIntoView({ block: "nearest" });
    place.querySelector<HTMLElement>("textarea")?.focus({ preventScroll: true });
  }, [id]);
}
