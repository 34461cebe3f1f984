// The page itself: conversations, the thread, the field to write in, the settings.
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useLocation } from "wouter";
import { bind, useActions } from "../../actions/action";
import { chat_actions, type ChatContext } from "../../actions/chat";
import type { Model } from "../../api/chat";
import { t } from "../../messages";
import { export_lines, is_open_pair, kMostNodes, type ChatNode } from "../../pure/conversation";
import { wrong_fields } from "../../pure/sampling";
import type { ChatSession } from "../../state/chat_session";
import { load_chat_settings, save_chat_settings, type ChatSettings } from "../../state/chat_settings";
import { toast } from "../../state/toasts";
import { Dialog } from "../../ui/dialog";
import { Empty } from "../../ui/pieces";
import type { AnswerTools } from "./answer";
import { copy_and_say } from "./answer_text";
import { Announcer, download, useMedia } from "./effects";
import { Composer } from "./composer";
import { CorrectDialog, RenameDialog, ReportDialog, SureDialog } from "./dialogs";
import { History } from "./history";
import { IconButton } from "./icons";
import { ConversationMenu } from "./menu";
import { ModelSelect } from "./models";
import { SettingsPanel } from "./panel";
import { Thread } from "./thread";

type Sheet = {
  what: "rename" | "remove" | "clear" | "correct" | "report";
  node?: ChatNode | undefined;
} | null;

export function ChatScreen({
  session,
  models,
  owner,
  durable,
  address,
}: {
  session: ChatSession;
  models: Model[];
  owner: string;
  durable: boolean;
  address: string | null;
}) {
  const view = useSyncExternalStore(session.subscribe, session.view);
  const [, go] = useLocation();
  const wide = useMedia("(min-width: 1180px)");
  const [settings, set_settings] = useState(() => load_chat_settings(owner, window.localStorage));
  const [text, set_text] = useState("");
  const [list_open, set_list_open] = useState(wide);
  const [panel_open, set_panel_open] = useState(false);
  const [tokens, set_tokens] = useState<string | null>(null);
  const [editing, set_editing] = useState<string | null>(null);
  const [sheet, set_sheet] = useState<Sheet>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const thread = useRef<HTMLElement>(null);

  const put_settings = useCallback(
    (change: Partial<ChatSettings>) =>
      set_settings((before) => {
        const after = { ...before, ...change };
        save_chat_settings(owner, window.localStorage, after);
        return after;
      }),
    [owner],
  );
  // A model that was chosen before and is gone stays chosen until somebody chooses another; none is the first.
  const model = settings.model || models[0]!.id;
  const other = settings.other || (models.find((m) => m.id !== model) ?? models[0]!).id;
  const can_compare = models.length > 1;
  const now = useMemo<ChatSettings>(
    () => ({ ...settings, model, other, compare: settings.compare && can_compare }),
    [settings, model, other, can_compare],
  );

  const { conversation, turns } = view;
  const last = turns.at(-1);
  const voting = last !== undefined && is_open_pair(last);
  const wrong = wrong_fields(settings.sampling).length > 0;

  // A new conversation gets its address when it begins.
  useEffect(() => {
    if (address === null && view.opened === null && turns.length > 0)
      go(`/chat/${conversation.id}`, { replace: true });
  }, [view.opened, turns.length, address, conversation.id, go]);
  useEffect(() => {
    set_editing(null);
    set_tokens(null);
    if (wide) field.current?.focus({ preventScroll: true });
  }, [conversation.id, wide]);

  const ready = (): boolean => {
    if (wrong) {
      set_panel_open(true);
      toast(t.chat.wrong_settings, { kind: "bad", slot: "settings" });
    }
    return !wrong;
  };
  /** In a comparison the keys that vote come next; else the next message. */
  const after_asking = () => {
    if (now.compare) thread.current?.focus({ preventScroll: true });
    else if (wide) field.current?.focus({ preventScroll: true });
  };
  const close_narrow = useCallback(() => {
    if (!wide) set_list_open(false);
  }, [wide]);
  const context: ChatContext = {
    session,
    view,
    compare: now.compare,
    can_compare,
    tokens_shown: tokens !== null && tokens === last?.node.id,
    composing: () => document.activeElement === field.current,
    composer_empty: () => (field.current?.value ?? "") === "",
    send: () => {
      if (!ready() || !session.send(text, now)) return;
      set_text("");
      after_asking();
    },
    focus: () => field.current?.focus(),
    stop_writing: () => {
      (document.activeElement as HTMLElement | null)?.blur();
      thread.current?.focus({ preventScroll: true });
    },
    edit: (node) => set_editing(node.id),
    regenerate: (node) => {
      if (ready() && session.regenerate(node, now)) after_asking();
    },
    copy: (node) => copy_and_say(node.text),
    thumb: (node, value) => void session.thumb(node, value, settings.consent),
    vote: (verdict) => {
      if (session.vote(verdict, settings.consent) && wide) field.current?.focus({ preventScroll: true });
    },
    open: (what, node) => set_sheet({ what, node }),
    start_new: () => {
      close_narrow();
      if (address === null) field.current?.focus();
      else go("/chat");
    },
    export_lines: (all) =>
      void (all ? session.everything() : Promise.resolve([conversation])).then((chosen) => {
        download(export_lines(chosen), all ? "conversations.jsonl" : "conversation.jsonl");
        toast(t.chat.exported(chosen.length), { kind: "good" });
      }),
    toggle_tokens: () => set_tokens((shown) => (shown === last?.node.id ? null : (last?.node.id ?? null))),
    toggle_compare: () => put_settings({ model, other, compare: !now.compare }),
    toggle_panel: () => set_panel_open((open) => !open),
    toggle_list: () => set_list_open((open) => !open),
  };
  const latest = useRef(context);
  latest.current = context;
  const get = useCallback(() => ({ ...latest.current, view: session.view() }), [session]);
  useActions(chat_actions, get);
  const bound = new Map(
    chat_actions.filter((a) => a.shown?.(context) ?? true).map((a) => [a.id, bind(a, context)]),
  );
  const act = (id: string) => bound.get("chat." + id);
  // The same object for as long as the page is open, so that answers that stay are not drawn again.
  const tools = useMemo<AnswerTools>(
    () => ({
      copy: (node) => latest.current.copy(node),
      regenerate: (node) => latest.current.regenerate(node),
      thumb: (node, value) => latest.current.thumb(node, value),
      open: (what, node) => latest.current.open(what, node),
      toggle_tokens: (node) => set_tokens((shown) => (shown === node.id ? null : node.id)),
    }),
    [],
  );

  const start_new = useCallback(() => latest.current.start_new(), []);
  const put_system = useCallback((system: string) => session.set_system(system), [session]);

  const history = (
    <History
      list={view.list}
      current={conversation.id}
      start_new={start_new}
      picked={close_narrow}
      durable={durable}
    />
  );
  const panel = (
    <SettingsPanel
      settings={now}
      put={put_settings}
      system={conversation.system}
      put_system={put_system}
      models={models}
      takes_feedback={view.takes_feedback}
    />
  );
  const close_sheet = () => set_sheet(null);
  const title = conversation.title || t.chat.untitled;

  return (
    <div
      className={"chat" + (wide && list_open ? " with-list" : "") + (wide && panel_open ? " with-panel" : "")}
    >
      {list_open &&
        (wide ? (
          <aside className="chat-side" aria-label={t.chat.conversations}>
            {history}
          </aside>
        ) : (
          <Dialog title={t.chat.conversations} onClose={() => set_list_open(false)} side>
            {history}
          </Dialog>
        ))}
      <div className="chat-main">
        <header className="chat-head">
          <IconButton icon="list" label={t.chat.list} expanded={list_open} run={context.toggle_list} />
          <h1 className="clip">{title}</h1>
          <div className="pickers">
            <ModelSelect
              models={models}
              value={model}
              label={t.chat.model}
              put={(id) => put_settings({ model: id })}
            />
            {now.compare && (
              <ModelSelect
                models={models}
                value={other}
                label={t.chat.second_model}
                put={(id) => put_settings({ other: id })}
              />
            )}
          </div>
          <IconButton
            icon="compare"
            label={t.chat.compare}
            pressed={now.compare}
            disabled={!can_compare}
            why={can_compare ? undefined : t.chat.one_model}
            run={context.toggle_compare}
          >
            <span className="only-wide">{t.chat.compare_short}</span>
          </IconButton>
          <ConversationMenu act={act} />
          <IconButton icon="panel" label={t.chat.panel} expanded={panel_open} run={context.toggle_panel}>
            <span className="only-wide">{t.chat.panel}</span>
          </IconButton>
        </header>
        <Thread
          session={session}
          view={view}
          tools={tools}
          act={act}
          tokens_of={(node) => tokens === node.id}
          editing={editing}
          edit={(node) => {
            set_editing(node?.id ?? null);
            if (!node) field.current?.focus();
          }}
          send_edited={(node, changed) => {
            if (!ready() || !session.edit(node, changed, now)) return;
            set_editing(null);
            after_asking();
          }}
          scroll={thread}
          empty={
            view.phase === "missing" ? (
              <Empty title={t.chat.missing} text={t.chat.missing_text}>
                <button type="button" className="btn primary" onClick={context.start_new}>
                  {t.chat.new}
                </button>
              </Empty>
            ) : (
              <Empty title={t.chat.hello} text={now.compare ? t.chat.hello_compare : t.chat.hello_text} />
            )
          }
        />
        <Composer
          text={text}
          put={set_text}
          field={field}
          busy={view.busy}
          can_send={session.can_send()}
          send={context.send}
          stop={act("stop")}
          placeholder={
            voting && !view.busy
              ? t.chat.placeholder_vote
              : now.compare
                ? t.chat.placeholder_compare
                : t.chat.placeholder
          }
          note={
            conversation.nodes.length >= kMostNodes
              ? t.chat.full
              : now.compare && model === other
                ? t.chat.same_model
                : null
          }
        />
        <Announcer said={view.said} />
      </div>
      {panel_open &&
        (wide ? (
          <aside className="chat-side settings-side" aria-label={t.chat.panel}>
            {panel}
          </aside>
        ) : (
          <Dialog title={t.chat.panel} onClose={() => set_panel_open(false)} side>
            {panel}
          </Dialog>
        ))}
      {sheet?.what === "rename" && (
        <RenameDialog
          title={title}
          save={(name) => session.rename(conversation.id, name)}
          close={close_sheet}
        />
      )}
      {sheet?.what === "remove" && (
        <SureDialog
          title={t.chat.remove_title}
          text={t.chat.remove_text(title)}
          go={() => void session.remove(conversation.id).then(() => go("/chat"))}
          close={close_sheet}
        />
      )}
      {sheet?.what === "clear" && (
        <SureDialog
          title={t.chat.clear_title}
          text={t.chat.clear_text(view.list.length)}
          go={() => void session.clear().then(() => go("/chat"))}
          close={close_sheet}
        />
      )}
      {sheet?.what === "correct" && sheet.node && (
        <CorrectDialog
          node={sheet.node}
          takes_feedback={view.takes_feedback}
          consent={settings.consent}
          save={(changed, send) => session.correct(sheet.node!, changed, send, settings.consent)}
          close={close_sheet}
        />
      )}
      {sheet?.what === "report" && sheet.node && (
        <ReportDialog
          consent={settings.consent}
          send={(reason, comment) => session.report(sheet.node!, reason, comment, settings.consent)}
          close={close_sheet}
        />
      )}
    </div>
  );
}
