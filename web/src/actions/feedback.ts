// Commands of the page of feedback: about the row, or the rule, that is chosen.
import { t } from "../messages";
import type { Action } from "./action";

export interface FeedbackContext {
  tab: "said" | "rules";
  may_rule: boolean;
  has_rule: boolean;
  rule_on: boolean;
  move: (by: number) => void;
  open: () => void;
  find: () => void;
  show: (tab: "said" | "rules") => void;
  new_rule: () => void;
  edit_rule: () => void;
  pause_rule: () => void;
  delete_rule: () => void;
}
const group = "feedback";
const of_rule = (
  id: string,
  key: string,
  title: (c: FeedbackContext) => string,
  run: (c: FeedbackContext) => void,
): Action<FeedbackContext> => ({
  id: "feedback." + id,
  group,
  keys: [key],
  title,
  shown: (c) => c.tab === "rules" && c.may_rule,
  enabled: (c) => c.has_rule,
  run,
});

export const feedback_actions: Action<FeedbackContext>[] = [
  {
    id: "feedback.next",
    group,
    keys: ["j", "down"],
    title: () => t.feedback.moves.next,
    hidden: true,
    run: (c) => c.move(1),
  },
  {
    id: "feedback.previous",
    group,
    keys: ["k", "up"],
    title: () => t.feedback.moves.previous,
    hidden: true,
    run: (c) => c.move(-1),
  },
  {
    id: "feedback.find",
    group,
    keys: ["f"],
    title: () => t.feedback.moves.find,
    shown: (c) => c.tab === "said",
    run: (c) => c.find(),
  },
  { id: "feedback.said", group, keys: ["1"], title: () => t.feedback.tab_said, run: (c) => c.show("said") },
  {
    id: "feedback.rules",
    group,
    keys: ["2"],
    title: () => t.feedback.tab_rules,
    shown: (c) => c.may_rule,
    run: (c) => c.show("rules"),
  },
  {
    id: "feedback.new",
    group,
    keys: ["n"],
    title: () => t.feedback.new_rule,
    shown: (c) => c.may_rule,
    run: (c) => c.new_rule(),
  },
  of_rule(
    "edit",
    "e",
    () => t.feedback.edit_rule,
    (c) => c.edit_rule(),
  ),
  of_rule(
    "pause",
    "p",
    (c) => (c.rule_on ? t.feedback.pause : t.feedback.resume),
    (c) => c.pause_rule(),
  ),
  of_rule(
    "delete",
    "d",
    () => t.feedback.delete_rule,
    (c) => c.delete_rule(),
  ),
];
