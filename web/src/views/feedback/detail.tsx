// One thing that was said, whole: the conversation where it is kept, the answer or both, what of it is
// wrong or how it should be.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { get_feedback, withdraw_feedback } from "../../api/feedback";
import type { FeedbackDetail, KeptAnswer } from "../../api/types";
import { t } from "../../messages";
import { day_time } from "../../pure/format";
import { useCan } from "../../state/session";
import { toast, toast_error } from "../../state/toasts";
import { Dialog, DialogActions } from "../../ui/dialog";
import { difference_html, Markdown } from "../../ui/markdown";
import { Loaded } from "../../ui/pieces";
import { Sign, title_of } from "./said";

export function FeedbackDrawer({
  id,
  close,
  move,
  place,
}: {
  id: string;
  close: () => void;
  move: (by: number) => void;
  place: string;
}) {
  const query = useQuery({ queryKey: ["feedback", "one", id], queryFn: () => get_feedback(id) });
  const [leaving, set_leaving] = useState(false);
  const queries = useQueryClient();
  const may_withdraw = useCan()("feedback.manage");
  useEffect(() => {
    const on = (e: KeyboardEvent) => {
      if (leaving || e.ctrlKey || e.metaKey || e.altKey) return;
      if (e.key === "j" || e.key === "k") {
        e.preventDefault();
        move(e.key === "j" ? 1 : -1);
      }
    };
    window.addEventListener("keydown", on);
    return () => window.removeEventListener("keydown", on);
  }, [move, leaving]);
  const withdraw = () => {
    withdraw_feedback(id).then(() => {
      toast(t.feedback.withdrawn, { kind: "good" });
      void queries.invalidateQueries({ queryKey: ["feedback"] });
      close();
    }, toast_error);
    set_leaving(false);
  };
  return (
    <>
      <Dialog
        side
        title={query.data ? title_of(query.data.feedback) : t.nav.feedback}
        onClose={close}
        tools={
          <>
            <span className="dim small nowrap">{place}</span>
            <button type="button" className="btn quiet slim" aria-keyshortcuts="K" onClick={() => move(-1)}>
              {t.feedback.moves.previous}
            </button>
            <button type="button" className="btn quiet slim" aria-keyshortcuts="J" onClick={() => move(1)}>
              {t.feedback.moves.next}
            </button>
          </>
        }
        footer={
          may_withdraw && query.data ? (
            <button type="button" className="btn danger" onClick={() => set_leaving(true)}>
              {t.feedback.withdraw}
            </button>
          ) : undefined
        }
      >
        <Loaded query={query} lines={7}>
          {(detail) => <Detail detail={detail} />}
        </Loaded>
      </Dialog>
      {leaving && (
        <Dialog
          title={t.feedback.withdraw_title}
          onClose={() => set_leaving(false)}
          footer={
            <DialogActions
              go={t.feedback.withdraw}
              tone="danger"
              cancel={() => set_leaving(false)}
              run={withdraw}
            />
          }
        >
          <p>{t.feedback.withdraw_text}</p>
        </Dialog>
      )}
    </>
  );
}

function Detail({ detail }: { detail: FeedbackDetail }) {
  const { feedback: said, answers } = detail;
  return (
    <div className="stack loose said-detail">
      <div className="row wrap">
        <Sign verdict={said.verdict} />
        {said.kind === "comparison" && (
          <span className="badge">{t.feedback.verdicts[said.verdict] ?? said.verdict}</span>
        )}
        {said.reason && <span className="badge">{t.feedback.reasons[said.reason] ?? said.reason}</span>}
        <span className="dim small">
          {t.feedback.said_by(said.person.name)} · {day_time(said.created_at)}
        </span>
      </div>
      {said.comment && (
        <section>
          <h3>{t.feedback.comment}</h3>
          <p className="comment">{said.comment}</p>
        </section>
      )}
      {!said.consent && <p className="notice">{t.feedback.no_text}</p>}
      {answers[0] && <Conversation answer={answers[0]} />}
      {said.kind === "edit" ? (
        <Correction before={answers[0]?.text ?? null} after={said.text} />
      ) : answers.length > 1 ? (
        <Pair answers={answers} verdict={said.verdict} />
      ) : (
        answers[0] && (
          <section>
            <h3>{t.feedback.answer}</h3>
            <div className="answer-box">
              <Markdown text={answers[0].text} />
            </div>
          </section>
        )
      )}
      {answers.length > 0 && <Facts answers={answers} />}
    </div>
  );
}

function Conversation({ answer }: { answer: KeptAnswer }) {
  const messages = answer.messages ?? (answer.prompt ? [{ role: "user", content: answer.prompt }] : []);
  if (messages.length === 0) return null;
  return (
    <section>
      <h3>{t.feedback.conversation}</h3>
      <ol className="said-messages">
        {messages.map((m, i) => (
          <li key={i} className={m.role}>
            <span className="dim small strong">{t.feedback.roles[m.role] ?? m.role}</span>
            <Markdown text={typeof m.content === "string" ? m.content : JSON.stringify(m.content)} />
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Before and after, with the words marked that the other has not. */
function Correction({ before, after }: { before: string | null; after: string }) {
  if (before === null)
    return (
      <section>
        <h3>{t.feedback.correction_alone}</h3>
        <div className="answer-box">
          <Markdown text={after} />
        </div>
      </section>
    );
  const [left, right] = difference_html(before, after);
  return (
    <div className="said-pair">
      <section>
        <h3>{t.feedback.before}</h3>
        <div className="answer-box">
          <Markdown text={before} html={left} />
        </div>
      </section>
      <section>
        <h3>{t.feedback.after}</h3>
        <div className="answer-box">
          <Markdown text={after} html={right} className="second" />
        </div>
      </section>
    </div>
  );
}

function Pair({ answers, verdict }: { answers: KeptAnswer[]; verdict: string }) {
  return (
    <div className="said-pair">
      {answers.slice(0, 2).map((a, i) => {
        const side = i === 0 ? "left" : "right";
        return (
          <section key={side}>
            <h3 className="row">
              {i === 0 ? t.feedback.left : t.feedback.right}
              {verdict === side && <span className="badge good">{t.feedback.better}</span>}
            </h3>
            <p className="dim small clip">{a.model}</p>
            <div className={"answer-box" + (verdict === side ? " won" : "")}>
              <Markdown text={a.text} />
            </div>
          </section>
        );
      })}
    </div>
  );
}

function Facts({ answers }: { answers: KeptAnswer[] }) {
  return (
    <details>
      <summary className="dim">{t.feedback.model_settings}</summary>
      {answers.map((a, i) => (
        <dl className="said-facts" key={i}>
          {Object.entries({
            model: a.model,
            fingerprint: a.system_fingerprint?.slice(0, 16),
            completion: a.completion,
            finish: a.finish_reason,
            ...a.settings,
          })
            .filter(([, v]) => v !== undefined && v !== null && v !== "")
            .map(([k, v]) => (
              <div key={k}>
                <dt>{k.replace(/_/g, " ")}</dt>
                <dd className="mono">{typeof v === "object" ? JSON.stringify(v) : String(v)}</dd>
              </div>
            ))}
        </dl>
      ))}
    </details>
  );
}
