// What comes while two models answer: pieces of text by place, then the task to judge, or why not.
export type LiveEvent =
  | { kind: "text"; place: 0 | 1; text: string }
  | { kind: "done"; place: 0 | 1 }
  | { kind: "ready"; assignment_id: string }
  | { kind: "problem"; message: string }
  | { kind: "other" };

export function read_live_event(data: string): LiveEvent {
  let read: unknown;
  try {
    read = JSON.parse(data);
  } catch {
    return { kind: "other" };
  }
  if (typeof read !== "object" || read === null) return { kind: "other" };
  const event = read as {
    place?: unknown;
    text?: unknown;
    done?: unknown;
    error?: { message?: unknown } | null;
    assignment?: { assignment_id?: unknown } | null;
  };
  const place = event.place === 0 || event.place === 1 ? event.place : null;
  if (place !== null && typeof event.text === "string") return { kind: "text", place, text: event.text };
  if (place !== null && event.done === true) return { kind: "done", place };
  if (typeof event.assignment?.assignment_id === "string")
    return { kind: "ready", assignment_id: event.assignment.assignment_id };
  if (event.error) return { kind: "problem", message: String(event.error.message ?? "") };
  return { kind: "other" };
}
