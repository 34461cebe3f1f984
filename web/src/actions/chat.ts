// The commands of the chat page. What they need is the session object and a few switches of the page.
import { is_open_pair, type ChatNode, type Verdict } from "../pure/conversation";
import { t } from "../messages";
import type { ChatSession, ChatView } from "../state/chat_session";
import type { Action } from "./action";

export interface ChatContext {
  session: ChatSession;
  view: ChatView;
  compare: boolean;
  can_compare: boolean;
  tokens_shown: boolean;
  composing: () => boolean; // the cursor is in the message field
  composer_empty: () => boolean;
  send: () => void;
  focus: () => void;
  stop_writing: () => void;
  edit: (node: ChatNode) => void;
  regenerate: (node: ChatNode) => void;
  copy: (node: ChatNode) => void;
  thumb: (node: ChatNode, value: 1 | -1) => void;
  vote: (verdict: Verdict) => void;
  open: (what: "rename" | "remove" | "clear" | "correct" | "report", node?: ChatNode) => void;
  start_new: () => void;
  export_lines: (all: boolean) => void;
  toggle_tokens: () => void;
  toggle_compare: () => void;
  toggle_panel: () => void;
  toggle_list: () => void;
}
const group = "chat";
const last_turn = (c: ChatContext) => c.view.turns.at(-1);
const last_answer = (c: ChatContext): ChatNode | null => {
  const turn = last_turn(c);
  return turn?.node.answer && turn.option.length === 1 ? turn.node : null;
};
const last_question = (c: ChatContext): ChatNode | null =>
  c.view.turns.findLast((turn) => !turn.node.answer)?.node ?? null;
const voting = (c: ChatContext): boolean => {
  const turn = last_turn(c);
  return turn !== undefined && is_open_pair(turn);
};
const judged = (c: ChatContext) =>
  !c.view.busy && c.view.takes_feedback && Boolean(last_answer(c)?.answer?.completion);

const vote = (verdict: Verdict, keys: string[], title: () => string): Action<ChatContext> => ({
  id: "chat.vote." + verdict,
  group: "vote",
  keys,
  title,
  shown: voting,
  enabled: (c) =>
    voting(c) &&
    !c.view.busy &&
    (verdict === "skipped" || (last_turn(c)?.option.every((n) => n.text !== "") ?? false)),
  run: (c) => c.vote(verdict),
});
const thumb = (value: 1 | -1, key: string, title: () => string): Action<ChatContext> => ({
  id: value === 1 ? "chat.up" : "chat.down",
  group,
  keys: [key],
  title,
  enabled: judged,
  run: (c) => c.thumb(last_answer(c)!, value),
});
const branch = (by: 1 | -1, key: string, title: () => string): Action<ChatContext> => {
  const turn = (c: ChatContext) => c.view.turns.findLast((one) => one.of > 1);
  return {
    id: by === 1 ? "chat.next" : "chat.previous",
    group,
    keys: [key],
    title,
    enabled: (c) => {
      const at = turn(c);
      return !c.view.busy && at !== undefined && at.at + by >= 0 && at.at + by < at.of;
    },
    run: (c) => c.session.step(turn(c)!, by),
  };
};

export const chat_actions: Action<ChatContext>[] = [
  vote("left", ["a", "1"], () => t.chat.a_better),
  vote("tie", ["t"], () => t.chat.tie),
  vote("both_bad", ["n"], () => t.chat.both_bad),
  vote("right", ["b", "2"], () => t.chat.b_better),
  vote("skipped", ["s"], () => t.chat.skip),
  {
    id: "chat.send",
    group,
    keys: ["enter"],
    writing: true,
    title: () => t.chat.send,
    enabled: (c) => c.composing(),
    run: (c) => c.send(),
  },
  // The field does it by itself; here so that the sheet of keys says so.
  {
    id: "chat.newline",
    group,
    keys: ["shift+enter"],
    title: () => t.chat.newline,
    enabled: () => false,
    run: () => undefined,
  },
  {
    id: "chat.focus",
    group,
    keys: ["ctrl+/"],
    writing: true,
    title: () => t.chat.focus,
    run: (c) => c.focus(),
  },
  {
    id: "chat.edit_last",
    group,
    keys: ["up"],
    writing: true,
    title: () => t.chat.edit_last,
    enabled: (c) => c.composing() && c.composer_empty() && !c.view.busy && last_question(c) !== null,
    run: (c) => c.edit(last_question(c)!),
  },
  {
    id: "chat.stop",
    group,
    keys: ["esc"],
    writing: true,
    title: () => t.chat.stop,
    enabled: (c) => c.view.busy,
    run: (c) => c.session.stop(),
  },
  {
    id: "chat.stop_writing",
    group,
    hidden: true,
    keys: ["esc"],
    writing: true,
    title: () => t.chat.stop_writing,
    run: (c) => c.stop_writing(),
  },
  {
    id: "chat.regenerate",
    group,
    keys: ["r"],
    title: () => t.chat.regenerate,
    enabled: (c) => !c.view.busy && Boolean(last_turn(c)?.node.answer),
    run: (c) => c.regenerate(last_turn(c)!.node),
  },
  {
    id: "chat.copy",
    group,
    keys: ["c"],
    title: () => t.chat.copy,
    enabled: (c) => Boolean(last_answer(c)?.text),
    run: (c) => c.copy(last_answer(c)!),
  },
  {
    id: "chat.tokens",
    group,
    keys: ["v"],
    title: (c) => (c.tokens_shown ? t.chat.tokens_off : t.chat.tokens),
    enabled: (c) => last_answer(c) !== null,
    run: (c) => c.toggle_tokens(),
  },
  branch(-1, "[", () => t.chat.previous),
  branch(1, "]", () => t.chat.next),
  thumb(1, "u", () => t.chat.up),
  thumb(-1, "d", () => t.chat.down),
  {
    id: "chat.correct",
    group,
    keys: ["e"],
    title: () => t.chat.correct,
    enabled: (c) => !c.view.busy && Boolean(last_answer(c)?.text),
    run: (c) => c.open("correct", last_answer(c)!),
  },
  {
    id: "chat.report",
    group,
    title: () => t.chat.report,
    enabled: judged,
    run: (c) => c.open("report", last_answer(c)!),
  },
  {
    id: "chat.compare",
    group,
    keys: ["m"],
    title: () => t.chat.compare,
    enabled: (c) => c.can_compare,
    run: (c) => c.toggle_compare(),
  },
  { id: "chat.panel", group, keys: ["p"], title: () => t.chat.panel, run: (c) => c.toggle_panel() },
  { id: "chat.list", group, keys: ["l"], title: () => t.chat.list, run: (c) => c.toggle_list() },
  {
    id: "chat.new",
    group,
    keys: ["ctrl+shift+o"],
    writing: true,
    title: () => t.chat.new,
    run: (c) => c.start_new(),
  },
  {
    id: "chat.rename",
    group,
    title: () => t.chat.rename_title,
    enabled: (c) => c.view.turns.length > 0,
    run: (c) => c.open("rename"),
  },
  {
    id: "chat.export",
    group,
    title: () => t.chat.export_one,
    enabled: (c) => c.view.turns.length > 0,
    run: (c) => c.export_lines(false),
  },
  {
    id: "chat.export_all",
    group,
    title: () => t.chat.export_all,
    enabled: (c) => c.view.list.length > 0,
    run: (c) => c.export_lines(true),
  },
  {
    id: "chat.remove",
    group,
    title: () => t.chat.remove_title,
    enabled: (c) => c.view.turns.length > 0,
    run: (c) => c.open("remove"),
  },
  {
    id: "chat.clear",
    group,
    title: () => t.chat.clear,
    enabled: (c) => c.view.list.length > 0,
    run: (c) => c.open("clear"),
  },
];
