// The commands of the labelling screen. What they need is the session object and a few switches of
// the screen itself.
import { key_effect, letter_of, type Slot } from "../pure/answer";
import { t } from "../messages";
import type { LabelSession, LabelView } from "../state/label_session";
import type { Action } from "./action";

export interface LabelContext {
  session: LabelSession;
  view: LabelView;
  differences: boolean;
  can_differ: boolean;
  leave: () => void;
  open: (what: "skip" | "flag" | null) => void;
  toggle_guideline: () => void;
  toggle_differences: () => void;
  focus_rationale: () => void;
  stop_writing: () => void;
  write_here: () => boolean; // puts the cursor into the text of this question; false when it has none
}
const group = "label";
const working = (c: LabelContext) => c.view.phase === "working" && c.view.current !== null;

/** What a key says here: in the slot under the cursor, else (letters of a comparison) in that one. */
function effect(c: LabelContext, key: string) {
  const { current, slots, cursor, draft } = c.view;
  if (!current) return null;
  const at = slots[cursor];
  const here = at ? key_effect(key, at, draft.answer, current.task) : null;
  if (here) return here;
  const comparison = slots.find((s) => s.question.kind === "comparison" && s.part === "main");
  return comparison && !/^[0-9]$/.test(key) ? key_effect(key, comparison, draft.answer, current.task) : null;
}
function say(c: LabelContext, key: string): void {
  const found = effect(c, key);
  if (!found) return;
  if (c.view.instant) {
    c.session.answer_at_once(found.slot, found.value);
    return;
  }
  const again =
    found.slot.question.kind === "comparison" &&
    found.slot.part === "main" &&
    c.view.draft.answer[found.slot.question.name] === found.value;
  c.session.set(found.slot, found.value, found.done);
  if (again) c.session.submit(); // the same key twice: that is all I have to say
}
const comparison = (c: LabelContext): Slot | undefined =>
  c.view.slots.find((s) => s.question.kind === "comparison" && s.part === "main");
const choice = (
  id: string,
  keys: string[],
  title: () => string,
  ok: (s: Slot) => boolean,
): Action<LabelContext> => ({
  id,
  group,
  keys,
  title,
  shown: (c) => {
    const s = comparison(c);
    return s !== undefined && ok(s);
  },
  enabled: (c) => working(c) && effect(c, keys[0]!) !== null,
  run: (c) => say(c, keys[0]!),
});

export const label_actions: Action<LabelContext>[] = [
  // Digits belong to the slot under the cursor; only while that is the comparison do A and B listen to 1 and 2.
  {
    id: "label.say",
    group,
    hidden: true,
    title: () => t.label.say,
    shown: (c) =>
      working(c) &&
      !(
        c.view.slots[c.view.cursor]?.question.kind === "comparison" &&
        c.view.slots[c.view.cursor]?.part === "main"
      ),
    accepts: (c, key) => effect(c, key) !== null,
    run: say,
  },
  choice(
    "label.left",
    ["a", "1", "left"],
    () => t.label.left_better,
    () => true,
  ),
  choice(
    "label.tie",
    ["t"],
    () => t.label.tie,
    (s) => s.question.tie !== false,
  ),
  choice(
    "label.bad",
    ["n"],
    () => t.label.both_bad,
    (s) => s.question.both_bad !== false,
  ),
  choice(
    "label.right",
    ["b", "2", "right"],
    () => t.label.right_better,
    () => true,
  ),
  {
    id: "label.submit",
    group,
    keys: ["enter", "ctrl+enter"],
    title: () => t.label.submit,
    shown: (c) => !c.view.instant,
    enabled: working,
    run: (c, key) => {
      if (key !== "enter" || !c.write_here()) c.session.submit();
    },
  },
  {
    id: "label.submit_writing",
    group,
    hidden: true,
    writing: true,
    keys: ["ctrl+enter"],
    title: () => t.label.submit,
    enabled: working,
    run: (c) => {
      c.stop_writing();
      if (!c.session.submit()) c.stop_writing();
    },
  },
  {
    id: "label.next_question",
    group,
    keys: ["down"],
    title: () => t.label.next_question,
    shown: (c) => c.view.slots.length > 1,
    enabled: working,
    run: (c) => c.session.move(1),
  },
  {
    id: "label.last_question",
    group,
    keys: ["up"],
    title: () => t.label.last_question,
    shown: (c) => c.view.slots.length > 1,
    enabled: working,
    run: (c) => c.session.move(-1),
  },
  {
    id: "label.undo",
    group,
    keys: ["u", "ctrl+z"],
    title: () => t.label.undo,
    enabled: (c) => c.view.can_undo,
    run: (c) => c.session.undo(),
  },
  {
    id: "label.skip",
    group,
    keys: ["s"],
    title: () => t.label.skip,
    enabled: working,
    run: (c) => c.open("skip"),
  },
  {
    id: "label.flag",
    group,
    keys: ["f"],
    title: () => t.label.flag,
    enabled: working,
    run: (c) => c.open("flag"),
  },
  {
    id: "label.rationale",
    group,
    keys: ["r"],
    title: () => t.label.rationale,
    shown: (c) => c.view.schema?.rationale !== "off",
    enabled: working,
    run: (c) => c.focus_rationale(),
  },
  {
    id: "label.differences",
    group,
    keys: ["d"],
    title: (c) => (c.differences ? t.label.differences_off : t.label.differences),
    shown: (c) => c.can_differ,
    enabled: working,
    run: (c) => c.toggle_differences(),
  },
  {
    id: "label.guideline",
    group,
    keys: ["g"],
    title: () => t.label.guideline,
    run: (c) => c.toggle_guideline(),
  },
  {
    id: "label.stop_writing",
    group,
    hidden: true,
    writing: true,
    keys: ["esc"],
    title: () => t.label.stop_writing,
    run: (c) => c.stop_writing(),
  },
  { id: "label.leave", group, title: () => t.label.leave, run: (c) => c.leave() },
];

/** What a missing slot is called on the button. */
export function slot_name(slot: Slot | "rationale", many_responses: boolean): string {
  if (slot === "rationale") return t.label.missing_rationale;
  if (slot.part === "strength") return slot.question.strength?.title ?? "";
  const title = slot.item?.title ?? slot.question.title;
  const place =
    slot.response_at !== undefined && many_responses
      ? letter_of(slot.response_at) + ": "
      : slot.turn !== undefined
        ? t.label.turn(slot.turn + 1) + ": "
        : "";
  return place + title;
}
