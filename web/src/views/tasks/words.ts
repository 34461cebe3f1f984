// Answers in words, for tables.
import { letter_of } from "../../pure/answer";
import type { Answer } from "../../api/types";
import { t } from "../../messages";

type Responses = { response_id: string }[];
export const answer_words = (answer: string): string => t.answers[answer] ?? answer;

/** What a response is called where everything stands in the order of the import. */
export const response_name = (at: number, of: number): string =>
  of === 2 ? (at === 0 ? t.answers.first! : t.answers.second!) : letter_of(at);

/** A whole answer in one line: winner by letter, the rest as it stands. */
export function whole_answer(answer: Answer, responses: Responses): string {
  const name = (value: unknown): string => {
    if (typeof value === "string") {
      const at = responses.findIndex((r) => r.response_id === value);
      return at >= 0 ? response_name(at, responses.length) : (t.answers[value] ?? value);
    }
    if (typeof value === "boolean") return value ? t.common.yes : t.common.no;
    if (Array.isArray(value))
      return value.length === 0
        ? t.label.none_apply
        : value
            .map((v) => (Array.isArray(v) ? v.map(name).join(" = ") : name(v)))
            .join(Array.isArray(value[0]) ? " > " : ", ");
    if (value !== null && typeof value === "object")
      return Object.entries(value)
        .map(([k, v]) => `${name(k)} ${name(v)}`)
        .join(", ");
    return String(value);
  };
  const parts = Object.entries(answer);
  return parts.length === 1
    ? name(parts[0]![1])
    : parts.map(([k, v]) => `${k.replace(/_/g, " ")}: ${name(v)}`).join(" · ");
}
