// A task schema asks questions; an answer fills slots. A slot is one thing to be said: a question
// about one target (a response, a turn, a checklist item). Everything the labelling screen knows
// about answers is here, without the DOM: slots, what a key says, what is missing.

export interface Option {
  name: string;
  title: string;
  key?: string;
}
export interface Strength {
  title: string;
  labels: string[];
  required?: boolean;
}
export interface Question {
  name: string;
  kind: "comparison" | "ranking" | "rating" | "choice" | "flags" | "checklist" | "text";
  title: string;
  required?: boolean;
  tie?: boolean;
  both_bad?: boolean;
  strength?: Strength | null;
  ties?: boolean;
  min?: number;
  max?: number;
  labels?: Record<string, string>;
  of?: "task" | "response" | "turn";
  turns?: "assistant" | "user" | "all";
  options?: Option[];
  items?: Option[];
  max_chars?: number;
  prefill?: "none" | "response";
}
export interface Schema {
  version: number;
  task_type: string;
  questions: Question[];
  rationale?: "off" | "optional" | "required";
  skip_reasons?: string[];
}
export interface TaskBody {
  prompt?: string | Message[] | null;
  responses: { response_id: string; text: string }[];
  messages?: (Message & { index: number })[] | null;
}
export interface Message {
  role: string;
  content: string;
}
export type Answer = Record<string, unknown>;

export interface Slot {
  id: string; // "winner", "winner_strength", "clarity:rsp_x", "checklist:rsp_x:short"
  question: Question;
  part: "main" | "strength";
  response_id?: string;
  response_at?: number;
  turn?: number;
  item?: Option;
  required: boolean;
}

export function slots_of(schema: Schema, task: TaskBody): Slot[] {
  const slots: Slot[] = [];
  for (const question of schema.questions) {
    const required = question.required !== false;
    for (const target of targets_of(question, task)) {
      const base = { question, part: "main" as const, required, ...target.place };
      if (question.kind === "checklist") {
        for (const item of question.items ?? [])
          slots.push({ ...base, id: `${question.name}${target.suffix}:${item.name}`, item });
      } else {
        slots.push({ ...base, id: question.name + target.suffix });
      }
    }
    if (question.kind === "comparison" && question.strength) {
      slots.push({
        id: question.name + "_strength",
        question,
        part: "strength",
        required: required && question.strength.required === true,
      });
    }
  }
  return slots;
}

function targets_of(question: Question, task: TaskBody): { suffix: string; place: Partial<Slot> }[] {
  if (question.kind === "comparison" || question.kind === "ranking") return [{ suffix: "", place: {} }];
  if (question.of === "response") {
    return task.responses.map((r, at) => ({
      suffix: ":" + r.response_id,
      place: { response_id: r.response_id, response_at: at },
    }));
  }
  if (question.of === "turn") {
    const turns = question.turns ?? "assistant";
    return (task.messages ?? [])
      .filter((m) => turns === "all" || m.role === turns)
      .map((m) => ({ suffix: ":" + m.index, place: { turn: m.index } }));
  }
  return [{ suffix: "", place: {} }];
}

const record = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};

/** What the answer says in a slot; undefined when it says nothing. */
export function value_of(answer: Answer, slot: Slot): unknown {
  if (slot.part === "strength") return answer[slot.question.name + "_strength"];
  let value: unknown = answer[slot.question.name];
  if (slot.response_id !== undefined) value = record(value)[slot.response_id];
  else if (slot.turn !== undefined) value = record(value)[String(slot.turn)];
  if (slot.item) value = record(value)[slot.item.name];
  return value;
}

/** The answer with one slot filled; undefined empties it. */
export function with_value(answer: Answer, slot: Slot, value: unknown): Answer {
  if (slot.part === "strength") return put(answer, [slot.question.name + "_strength"], value);
  const path = [slot.question.name];
  if (slot.response_id !== undefined) path.push(slot.response_id);
  else if (slot.turn !== undefined) path.push(String(slot.turn));
  if (slot.item) path.push(slot.item.name);
  return put(answer, path, value);
}

function put(object: Record<string, unknown>, path: string[], value: unknown): Record<string, unknown> {
  const [name, ...rest] = path as [string, ...string[]];
  const copy = { ...object };
  const inner = rest.length ? put(record(copy[name]), rest, value) : value;
  if (inner === undefined || (rest.length > 0 && Object.keys(inner as object).length === 0))
    delete copy[name];
  else copy[name] = inner;
  return copy;
}

export function is_filled(slot: Slot, answer: Answer, task: TaskBody): boolean {
  const value = value_of(answer, slot);
  if (slot.part === "strength") {
    // How much better makes sense only when one of them is.
    const winner = answer[slot.question.name];
    return winner === "tie" || winner === "both_bad" || typeof value === "number";
  }
  switch (slot.question.kind) {
    case "ranking":
      return Array.isArray(value) && value.flat().length === task.responses.length;
    case "flags":
      return Array.isArray(value);
    case "checklist":
      return typeof value === "boolean";
    case "rating":
      return typeof value === "number";
    case "text":
      return typeof value === "string" && value.trim() !== "";
    default:
      return typeof value === "string" && value !== "";
  }
}

/** Required slots without an answer, in order; "rationale" stands for a required reason. */
export function missing_slots(
  schema: Schema,
  task: TaskBody,
  answer: Answer,
  rationale: string,
): (Slot | "rationale")[] {
  const found: (Slot | "rationale")[] = slots_of(schema, task).filter(
    (s) => s.required && !is_filled(s, answer, task),
  );
  if (schema.rationale === "required" && rationale.trim() === "") found.push("rationale");
  return found;
}

/** Whether one key press is the whole answer, so that it can be sent at once. */
export function is_instant(schema: Schema, task: TaskBody): boolean {
  const slots = slots_of(schema, task);
  const kind = slots[0]?.question.kind;
  return (
    slots.length === 1 &&
    schema.rationale !== "required" &&
    (kind === "comparison" || kind === "choice" || kind === "rating")
  );
}

export function first_answer(schema: Schema, task: TaskBody): Answer {
  let answer: Answer = {};
  for (const slot of slots_of(schema, task)) {
    if (slot.question.kind !== "text" || slot.question.prefill !== "response") continue;
    const text =
      slot.response_at !== undefined ? task.responses[slot.response_at]?.text : task.responses[0]?.text;
    if (text) answer = with_value(answer, slot, text);
  }
  return answer;
}

/** Text that stands exactly as it was filled in says nothing yet: nobody corrected anything. */
export function clean_answer(schema: Schema, task: TaskBody, answer: Answer): Answer {
  let cleaned = answer;
  for (const slot of slots_of(schema, task)) {
    const value = value_of(cleaned, slot);
    if (slot.question.kind === "text" && typeof value === "string" && value.trim() === "")
      cleaned = with_value(cleaned, slot, undefined);
    if (slot.part === "strength" && value !== undefined) {
      const winner = cleaned[slot.question.name];
      if (winner === undefined || winner === "tie" || winner === "both_bad")
        cleaned = with_value(cleaned, slot, undefined);
    }
  }
  return cleaned;
}

export type KeyEffect = { slot: Slot; value: unknown; done: boolean };

/** What a key says in a slot; null when it says nothing there. `done`: the slot is finished by it. */
export function key_effect(key: string, slot: Slot, answer: Answer, task: TaskBody): KeyEffect | null {
  const { question } = slot;
  const say = (value: unknown, done = true): KeyEffect => ({ slot, value, done });
  const digit = /^[0-9]$/.test(key) ? Number(key) : null;
  if (slot.part === "strength") {
    const most = question.strength?.labels.length ?? 0;
    return digit !== null && digit >= 1 && digit <= most ? say(digit) : null;
  }
  switch (question.kind) {
    case "comparison": {
      const at = { a: 0, "1": 0, left: 0, b: 1, "2": 1, right: 1 }[key];
      if (at !== undefined) {
        const r = task.responses[at];
        return r ? say(r.response_id) : null;
      }
      if (key === "t" && question.tie !== false) return say("tie");
      if (key === "n" && question.both_bad !== false) return say("both_bad");
      return null;
    }
    case "rating": {
      const min = question.min ?? 1,
        max = question.max ?? 5;
      const value = digit === null ? null : digit === 0 && max === 10 && min > 0 ? 10 : digit;
      return value !== null && value >= min && value <= max ? say(value) : null;
    }
    case "choice": {
      const options = question.options ?? [];
      const option =
        options.find((o) => o.key === key) ?? (digit !== null && digit >= 1 ? options[digit - 1] : undefined);
      return option ? say(option.name) : null;
    }
    case "flags":
      return flags_key(key, digit, slot, answer, say);
    case "checklist":
      if (key === "y" || key === "1") return say(true);
      if (key === "n" || key === "0" || key === "2") return say(false);
      return null;
    case "ranking":
      return ranking_key(key, slot, answer, task, say);
    default:
      return null;
  }
}

type Say = (value: unknown, done?: boolean) => KeyEffect;

function flags_key(
  key: string,
  digit: number | null,
  slot: Slot,
  answer: Answer,
  say: Say,
): KeyEffect | null {
  if (key === "0") return say([]);
  const options = slot.question.options ?? [];
  const option = options.find((o) => o.key === key) ?? (digit !== null ? options[digit - 1] : undefined);
  if (!option) return null;
  const now = (value_of(answer, slot) as string[] | undefined) ?? [];
  return say(now.includes(option.name) ? now.filter((n) => n !== option.name) : [...now, option.name], false);
}

/** Digits (or letters) put responses in order; "=" ties the last with the one before; Backspace takes one back. */
function ranking_key(key: string, slot: Slot, answer: Answer, task: TaskBody, say: Say): KeyEffect | null {
  const order = ((value_of(answer, slot) as string[][] | undefined) ?? []).map((group) => [...group]);
  const whole = (o: string[][]) => o.flat().length === task.responses.length;
  if (key === "=") {
    if (slot.question.ties === false || order.flat().length < 2) return null;
    const tied = toggle_last_tie(order);
    return say(tied, false);
  }
  if (key === "backspace") {
    const last = order[order.length - 1];
    if (!last) return null;
    last.pop();
    if (last.length === 0) order.pop();
    return say(order.length ? order : undefined, false);
  }
  const at = /^[1-9]$/.test(key) ? Number(key) - 1 : key.length === 1 ? "abcdefghij".indexOf(key) : -1;
  const response = task.responses[at];
  if (!response || order.flat().includes(response.response_id)) return null;
  order.push([response.response_id]);
  return say(order, whole(order));
}

/** Ties the last response of an order with the group before it, or parts it again. */
export function toggle_last_tie(order: string[][]): string[][] {
  const copy = order.map((group) => [...group]);
  const last = copy[copy.length - 1];
  if (!last) return copy;
  if (last.length > 1) {
    copy.push([last.pop()!]);
    return copy;
  }
  const before = copy[copy.length - 2];
  if (!before) return copy;
  copy.pop();
  before.push(last[0]!);
  return copy;
}

export const letter_of = (at: number): string => String.fromCharCode(65 + at);
