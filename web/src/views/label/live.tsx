// A project with live answers, when no task waits: the field to write in, then the two answers as they
// come, without names. When both are there they are the next task of the queue.
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { ask_live } from "../../api/live";
import { letter_of } from "../../pure/answer";
import { t } from "../../messages";
import type { LabelSession } from "../../state/label_session";
import { LiveQuestion } from "../../state/live_question";
import { Kbd } from "../../ui/kbd";
import { Markdown } from "../../ui/markdown";

export function Live({ session }: { session: LabelSession }) {
  const [question] = useState(
    () =>
      new LiveQuestion(
        (prompt, signal, on) => ask_live(session.project_id, prompt, signal, on),
        () => session.retry(),
        t.label.live_cut,
      ),
  );
  const view = useSyncExternalStore(question.subscribe, question.view);
  const [text, set_text] = useState("");
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => () => question.stop(), [question]);
  useEffect(() => {
    if (view.phase === "writing") field.current?.focus();
  }, [view.phase]);
  const send = useCallback(() => question.ask(text), [question, text]);
  if (view.phase === "writing")
    return (
      <form
        className="live-form field"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <label htmlFor="live-prompt">{t.label.live_write}</label>
        <textarea
          id="live-prompt"
          ref={field}
          rows={4}
          value={text}
          maxLength={30_000}
          placeholder={t.label.live_hint}
          aria-describedby="live-note"
          aria-keyshortcuts="Enter"
          onChange={(event) => set_text(event.target.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
            event.preventDefault();
            send();
          }}
        />
        {view.error !== null && (
          <p className="notice bad small" role="alert">
            {view.error || t.label.live_cut}
          </p>
        )}
        <div className="row wrap">
          <button type="submit" className="btn primary" aria-disabled={text.trim() === ""}>
            {t.label.live_send} <Kbd of="enter" />
          </button>
          <span id="live-note" className="dim small">
            {t.label.live_note}
          </span>
        </div>
      </form>
    );
  return (
    <>
      <section className="prompt-card" aria-label={t.label.prompt_label}>
        <div className="eyebrow">{t.label.prompt}</div>
        <Markdown text={view.prompt} />
      </section>
      <div className="responses" aria-busy={view.phase === "answering"}>
        {view.texts.map((answer, at) => (
          <section
            key={at}
            className={`response r${at}`}
            aria-label={t.label.response(letter_of(at))}
            aria-busy={!view.done[at]}
          >
            <header>
              <span className="letter">
                <i>{letter_of(at)}</i>
              </span>
            </header>
            <div className="text">
              {answer ? <Markdown text={answer} /> : <p className="dim">{t.label.live_waiting}</p>}
            </div>
          </section>
        ))}
      </div>
      <div className="row">
        <span className="dim" role="status">
          {t.label.live_coming}
        </span>
        {view.phase === "answering" && (
          <button type="button" className="btn quiet slim" onClick={() => question.stop()}>
            {t.label.live_stop}
          </button>
        )}
      </div>
    </>
  );
}
