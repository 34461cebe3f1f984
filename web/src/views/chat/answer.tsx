// One answer: its text or its tokens, what went wrong, its figures, and what can be done with it.
import { memo, useState, type ReactNode } from "react";
import { t } from "../../messages";
import type { ChatNode, Trouble } from "../../pure/conversation";
import { fixed, sentence } from "../../pure/format";
import { perplexity } from "../../pure/token_view";
import { rate_of } from "../../state/chat_session";
import { AnswerText } from "./answer_text";
import { Icon, IconButton } from "./icons";
import { TokenList } from "./token_list";

export interface AnswerTools {
  copy: (node: ChatNode) => void;
  regenerate: (node: ChatNode) => void;
  thumb: (node: ChatNode, value: 1 | -1) => void;
  open: (what: "correct" | "report", node: ChatNode) => void;
  toggle_tokens: (node: ChatNode) => void;
}

/** What to do about it, in one sentence. */
export function advice_of(trouble: Trouble): string {
  const { status, code, retry_after_ms } = trouble;
  const a = t.chat.advice;
  if (status === 429 || status === 503)
    return a.busy(retry_after_ms ? Math.ceil(retry_after_ms / 1000) : null);
  if (/context_length/.test(code) || status === 413) return a.too_long;
  if (status === 404) return a.no_model;
  if (status === 401 || status === 403) return a.forbidden;
  if (status === 400 || status === 422) return a.setting;
  return status === 0 ? a.away : a.broken;
}

export function TroubleNote({ trouble, retry }: { trouble: Trouble; retry?: (() => void) | undefined }) {
  return (
    <div className="notice bad trouble">
      <span className="grow">
        <b>{t.chat.trouble[trouble.code] ?? sentence(trouble.message)}</b> {advice_of(trouble)}
      </span>
      {retry && (
        <button type="button" className="btn slim" onClick={retry}>
          {t.chat.try_again}
        </button>
      )}
    </div>
  );
}

/** The text of an answer in whatever state it is; the same height while it waits for its first line. */
export const AnswerBody = memo(function AnswerBody({
  node,
  tokens_shown,
}: {
  node: ChatNode;
  tokens_shown: boolean;
}) {
  const answer = node.answer!;
  const growing = answer.finish === null;
  if (node.text === "" && growing)
    return (
      <div className="waits" aria-label={t.chat.waiting} role="img">
        <i />
        <i />
        <i />
      </div>
    );
  if (tokens_shown && !growing)
    return answer.tokens.length ? (
      <TokenList tokens={answer.tokens} />
    ) : (
      <>
        <p className="notice small">{t.chat.no_tokens}</p>
        <AnswerText text={node.text} growing={false} />
      </>
    );
  return <AnswerText text={node.text} growing={growing} />;
});

/** Tokens, speed and perplexity; while the answer grows, the tokens so far. */
export function Figures({ node }: { node: ChatNode }) {
  const answer = node.answer!;
  const count = answer.usage?.completion ?? answer.tokens.length;
  const rate = rate_of(answer);
  const mean = answer.finish === null ? null : perplexity(answer.tokens);
  const why = t.chat.finish[answer.finish ?? ""];
  return (
    <>
      {count > 0 && (
        <span title={answer.usage ? t.chat.token_title(answer.usage.prompt, answer.usage.cached) : undefined}>
          {t.chat.token_count(count)}
        </span>
      )}
      {rate !== null && (
        <span
          title={
            answer.first_token_ms === null
              ? undefined
              : t.chat.first_token((answer.first_token_ms / 1000).toFixed(2))
          }
        >
          {t.chat.rate(rate.toFixed(rate < 10 ? 1 : 0))}
        </span>
      )}
      {mean !== null && (
        <span className="hide-small" title={t.chat.perplexity_title}>
          {t.chat.perplexity(fixed(mean, mean < 100 ? 2 : 0))}
        </span>
      )}
      {why && <span className="warn">{why}</span>}
    </>
  );
}

function Effective({ node }: { node: ChatNode }) {
  const { settings, fingerprint, completion } = node.answer!;
  const rows: [string, string][] = [
    ...Object.entries(settings ?? {}).map(([name, value]): [string, string] => [
      t.chat.fields[name] ?? name,
      Array.isArray(value) ? value.map((v) => JSON.stringify(v)).join(" ") : String(value),
    ]),
    ...(fingerprint ? [[t.chat.fingerprint, fingerprint] as [string, string]] : []),
    ...(completion ? [[t.chat.completion, completion] as [string, string]] : []),
  ];
  return (
    <dl className="effective">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd className="mono">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export const AnswerCard = memo(function AnswerCard({
  node,
  tokens_shown,
  busy,
  takes_feedback,
  tools,
  branches,
}: {
  node: ChatNode;
  tokens_shown: boolean;
  busy: boolean;
  takes_feedback: boolean;
  tools: AnswerTools;
  branches: ReactNode;
}) {
  const [details, set_details] = useState(false);
  const answer = node.answer!;
  const growing = answer.finish === null;
  const no_feedback = !takes_feedback || !answer.completion;
  const why = takes_feedback ? undefined : t.chat.no_feedback;
  const has_details = answer.settings !== null || answer.fingerprint !== null;
  return (
    <article className="answer" aria-label={answer.model} aria-busy={growing}>
      <div className="who">
        <b className="clip">{answer.model}</b>
        {answer.finish === "written" && <span className="badge">{t.chat.written}</span>}
      </div>
      <AnswerBody node={node} tokens_shown={tokens_shown} />
      {answer.trouble && (
        <TroubleNote trouble={answer.trouble} retry={busy ? undefined : () => tools.regenerate(node)} />
      )}
      <footer className="answer-foot">
        {branches}
        {!growing && node.text !== "" && (
          <span className="tools">
            <IconButton icon="copy" label={t.chat.copy} run={() => tools.copy(node)} />
            <IconButton
              icon="retry"
              label={t.chat.regenerate}
              disabled={busy}
              run={() => tools.regenerate(node)}
            />
            {answer.finish !== "written" && (
              <>
                <IconButton
                  icon="tokens"
                  label={tokens_shown ? t.chat.tokens_off : t.chat.tokens}
                  pressed={tokens_shown}
                  run={() => tools.toggle_tokens(node)}
                />
                <IconButton
                  icon="up"
                  label={t.chat.up}
                  pressed={answer.thumb === 1}
                  disabled={no_feedback}
                  why={why}
                  run={() => tools.thumb(node, 1)}
                />
                <IconButton
                  icon="down"
                  label={t.chat.down}
                  pressed={answer.thumb === -1}
                  disabled={no_feedback}
                  why={why}
                  run={() => tools.thumb(node, -1)}
                />
              </>
            )}
            <IconButton
              icon="edit"
              label={t.chat.correct}
              disabled={busy}
              run={() => tools.open("correct", node)}
            />
            {answer.finish !== "written" && (
              <IconButton
                icon="flag"
                label={answer.reported ? t.chat.reported : t.chat.report}
                pressed={answer.reported}
                disabled={no_feedback}
                why={why}
                run={() => tools.open("report", node)}
              />
            )}
          </span>
        )}
        <span className="figures">
          <Figures node={node} />
          {has_details && !growing && (
            <IconButton
              icon="info"
              label={t.chat.effective}
              expanded={details}
              run={() => set_details((d) => !d)}
            />
          )}
        </span>
      </footer>
      {details && <Effective node={node} />}
      {!takes_feedback && !growing && answer.completion && (
        <p className="dim small no-feedback">
          <Icon of="info" /> {t.chat.no_feedback}
        </p>
      )}
    </article>
  );
});
