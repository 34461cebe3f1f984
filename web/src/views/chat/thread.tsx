// The conversation, newest at the bottom. It follows the answer as it grows until the reader scrolls
// up, and then stays where the reader is.
import {
  useCallback,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
  type ReactNode,
  type RefObject,
} from "react";
import type { Bound } from "../../actions/action";
import { t } from "../../messages";
import { is_open_pair, type ChatNode, type Turn } from "../../pure/conversation";
import type { ChatSession, ChatView } from "../../state/chat_session";
import { AnswerCard, type AnswerTools } from "./answer";
import { Comparison } from "./comparison";
import { Icon, IconButton } from "./icons";

const kNearEnd = 32;

export function Thread({
  session,
  view,
  tools,
  act,
  tokens_of,
  editing,
  edit,
  send_edited,
  scroll,
  empty,
}: {
  session: ChatSession;
  view: ChatView;
  tools: AnswerTools;
  act: (id: string) => Bound | undefined;
  tokens_of: (node: ChatNode) => boolean;
  editing: string | null;
  edit: (node: ChatNode | null) => void;
  send_edited: (node: ChatNode, text: string) => void;
  scroll: RefObject<HTMLElement | null>;
  empty: ReactNode;
}) {
  const follows = useRef(true);
  const [behind, set_behind] = useState(false);
  const { turns, busy } = view;

  const to_end = useCallback(() => {
    follows.current = true;
    set_behind(false);
    scroll.current?.scrollTo({ top: scroll.current.scrollHeight });
  }, [scroll]);
  useEffect(to_end, [view.conversation.id, to_end]);
  useLayoutEffect(() => {
    if (view.said?.kind === "started") to_end(); // who asks wants to see the answer
  }, [view.said, to_end]);
  useLayoutEffect(() => {
    if (follows.current && scroll.current) scroll.current.scrollTop = scroll.current.scrollHeight;
  }, [turns, scroll]);
  const on_scroll = () => {
    const { scrollHeight, scrollTop, clientHeight } = scroll.current!;
    follows.current = scrollHeight - scrollTop - clientHeight < kNearEnd;
    set_behind(!follows.current);
  };

  const branches = (turn: Turn): ReactNode =>
    turn.of > 1 && (
      <span className="branches" role="group" aria-label={t.chat.branch(turn.at + 1, turn.of)}>
        <IconButton
          icon="left"
          label={t.chat.previous}
          disabled={busy || turn.at === 0}
          run={() => session.step(turn, -1)}
        />
        <span>{t.chat.branch_short(turn.at + 1, turn.of)}</span>
        <IconButton
          icon="right"
          label={t.chat.next}
          disabled={busy || turn.at === turn.of - 1}
          run={() => session.step(turn, 1)}
        />
      </span>
    );
  return (
    <div className="thread-frame">
      <section className="thread" ref={scroll} tabIndex={0} aria-label={t.chat.thread} onScroll={on_scroll}>
        {turns.length === 0 ? (
          empty
        ) : (
          <div className={"turns" + (turns.some((turn) => turn.option.length === 2) ? " wide" : "")}>
            {turns.map((turn) => {
              const { node } = turn;
              if (turn.option.length === 2)
                return (
                  <div key={turn.option[0].id}>
                    <Comparison
                      turn={turn}
                      open={is_open_pair(turn)}
                      busy={busy}
                      act={act}
                      retry={() => tools.regenerate(node)}
                      copy={tools.copy}
                      takes_feedback={view.takes_feedback}
                      tokens_shown={tokens_of(node)}
                    />
                    {branches(turn)}
                  </div>
                );
              if (node.answer)
                return (
                  <AnswerCard
                    key={node.id}
                    node={node}
                    tokens_shown={tokens_of(node)}
                    busy={busy}
                    takes_feedback={view.takes_feedback}
                    tools={tools}
                    branches={branches(turn)}
                  />
                );
              return (
                <Question
                  key={node.id}
                  node={node}
                  editing={editing === node.id}
                  edit={edit}
                  send={send_edited}
                  copy={tools.copy}
                  busy={busy}
                  branches={branches(turn)}
                />
              );
            })}
          </div>
        )}
      </section>
      {behind && (
        <button type="button" className="btn slim to-end" onClick={to_end}>
          <Icon of="down_arrow" />
          {t.chat.newest}
        </button>
      )}
    </div>
  );
}

function Question({
  node,
  editing,
  edit,
  send,
  copy,
  busy,
  branches,
}: {
  node: ChatNode;
  editing: boolean;
  edit: (node: ChatNode | null) => void;
  send: (node: ChatNode, text: string) => void;
  copy: (node: ChatNode) => void;
  busy: boolean;
  branches: ReactNode;
}) {
  return (
    <article className="question-card" aria-label={t.chat.you}>
      {editing ? (
        <EditQuestion node={node} cancel={() => edit(null)} send={(text) => send(node, text)} />
      ) : (
        <>
          <div className="line">
            <span className="tools">
              <IconButton icon="copy" label={t.chat.copy_question} run={() => copy(node)} />
              <IconButton icon="edit" label={t.chat.edit} disabled={busy} run={() => edit(node)} />
            </span>
            <div className="said">{node.text}</div>
          </div>
          {branches && <footer className="answer-foot">{branches}</footer>}
        </>
      )}
    </article>
  );
}

function EditQuestion({
  node,
  cancel,
  send,
}: {
  node: ChatNode;
  cancel: () => void;
  send: (text: string) => void;
}) {
  const [text, set_text] = useState(node.text);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    const end = field.current?.value.length ?? 0;
    field.current?.focus();
    field.current?.setSelectionRange(end, end);
  }, []);
  return (
    <div className="edit-question">
      <div className="grows" data-text={text + "\n"}>
        <textarea
          ref={field}
          className="input"
          aria-label={t.chat.edit_label}
          value={text}
          maxLength={100_000}
          onChange={(event) => set_text(event.target.value)}
          onKeyDown={(event) => {
            if (event.nativeEvent.isComposing) return;
            if (event.key === "Escape") {
              event.preventDefault();
              cancel();
            } else if (event.key === "Enter" && !event.shiftKey) {
              event.preventDefault();
              send(text);
            }
          }}
        />
      </div>
      <div className="row">
        <button
          type="button"
          className="btn primary slim"
          disabled={text.trim() === ""}
          onClick={() => send(text)}
        >
          {t.chat.send_again}
        </button>
        <button type="button" className="btn slim" onClick={cancel}>
          {t.common.cancel}
        </button>
      </div>
    </div>
  );
}
