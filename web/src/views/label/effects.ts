// What happens beside the drawing: texts rendered ahead, short messages.
import { useEffect } from "react";
import { t } from "../../messages";
import type { LabelSession, LabelView } from "../../state/label_session";
import { toast } from "../../state/toasts";
import { warm } from "../../ui/markdown";

/** Text that comes next is rendered while nobody waits for it. */
export function useWarm(view: LabelView, differences: boolean): void {
  useEffect(() => {
    const later =
      typeof requestIdleCallback === "function"
        ? requestIdleCallback
        : (f: () => void) => window.setTimeout(f, 30);
    const handle = later(() => {
      for (const a of view.ahead) {
        if (typeof a.task.prompt === "string") warm(a.task.prompt);
        for (const r of a.task.responses) warm(r.text);
        for (const m of a.task.messages ?? []) warm(m.content);
      }
    });
    return () => {
      if (typeof cancelIdleCallback === "function") cancelIdleCallback(handle as number);
    };
  }, [view.ahead, differences]);
}

/** What was just sent, for four seconds, with the way back. */
export function useNotices(view: LabelView, session: LabelSession): void {
  const last = view.last;
  useEffect(() => {
    if (!last || Date.now() - last.at_ms > 1000) return;
    const winner = Object.values(last.draft.answer)[0];
    const at = last.assignment.task.responses.findIndex((r) => r.response_id === winner);
    const key =
      last.kind === "skip"
        ? "skip"
        : typeof winner === "string" && (winner === "tie" || winner === "both_bad")
          ? winner
          : at === 0
            ? "left"
            : at === 1
              ? "right"
              : "answer";
    toast(t.label.sent[key] ?? t.label.sent.answer!, {
      slot: "sent",
      action: { title: t.label.undo_short, keys: "u", run: () => session.undo() },
    });
  }, [last, session]);
  useEffect(() => {
    if (!view.notice) return;
    const { text, good } = view.notice;
    toast(text || (good ? t.label.exam_right : t.label.exam_wrong), {
      kind: good ? "good" : "bad",
      life_ms: 8000,
    });
    session.dismiss_notice();
  }, [view.notice, session]);
}
