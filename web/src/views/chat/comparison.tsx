// Two answers side by side, without names until somebody has chosen. Nothing that could tell the
// models apart by habit (speed, counts, settings) is shown before.
import type { Bound } from "../../actions/action";
import { t } from "../../messages";
import type { ChatNode, Turn } from "../../pure/conversation";
import { ActionButton } from "../../ui/action_button";
import { AnswerBody, Figures, TroubleNote } from "./answer";
import { IconButton } from "./icons";

export function Comparison({
  turn,
  open,
  busy,
  act,
  retry,
  copy,
  takes_feedback,
  tokens_shown,
}: {
  turn: Turn;
  open: boolean;
  busy: boolean;
  act: (id: string) => Bound | undefined;
  retry: () => void;
  copy: (node: ChatNode) => void;
  takes_feedback: boolean;
  tokens_shown: boolean;
}) {
  const lacking = turn.option.some((n) => n.answer!.finish !== null && n.text === "");
  return (
    <div className="comparison">
      <div className="sides">
        {turn.option.map((node, at) => {
          const letter = "AB"[at]!;
          const better = turn.verdict === (at === 0 ? "left" : "right");
          return (
            <article
              key={node.id}
              className={`response r${at}` + (better ? " chosen" : "")}
              aria-label={t.chat.answer_of(letter)}
              aria-busy={node.answer!.finish === null}
            >
              <header>
                <span className="letter">
                  <i aria-hidden="true">{letter}</i>
                  <span className="clip">{open ? t.chat.answer_of(letter) : node.answer!.model}</span>
                </span>
                {better && <span className="badge accent">{t.chat.chosen}</span>}
              </header>
              <div className="text">
                <AnswerBody node={node} tokens_shown={tokens_shown && !open} />
                {node.answer!.trouble && (
                  <TroubleNote trouble={node.answer!.trouble} retry={busy ? undefined : retry} />
                )}
              </div>
              {!open && (
                <footer className="answer-foot">
                  <span className="tools">
                    <IconButton icon="copy" label={t.chat.copy} run={() => copy(node)} />
                  </span>
                  <span className="figures">
                    <Figures node={node} />
                  </span>
                </footer>
              )}
            </article>
          );
        })}
      </div>
      {open ? (
        <div className="votes" role="group" aria-label={t.chat.which}>
          <span className="dim">{lacking && !busy ? t.chat.not_whole : t.chat.which}</span>
          <div className="answers">
            {["left", "tie", "both_bad", "right"].map((id) => {
              const action = act("vote." + id);
              return action && <ActionButton key={id} action={action} className={id} />;
            })}
          </div>
          {act("vote.skipped") && <ActionButton action={act("vote.skipped")!} className="quiet slim" />}
        </div>
      ) : (
        <p className="dim small verdict">
          {t.chat.verdicts[turn.verdict ?? "skipped"]}
          {!takes_feedback && turn.verdict !== "skipped" && <> · {t.chat.vote_kept}</>}
        </p>
      )}
    </div>
  );
}
