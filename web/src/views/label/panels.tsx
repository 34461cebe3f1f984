// What opens over the task: reasons to skip or flag, chosen by number.
import { useEffect, useState } from "react";
import { t } from "../../messages";
import type { LabelSession, LabelView } from "../../state/label_session";
import { toast } from "../../state/toasts";
import { Dialog } from "../../ui/dialog";
import { Kbd } from "../../ui/kbd";

interface PanelProps {
  what: "skip" | "flag";
  view: LabelView;
  session: LabelSession;
  close: () => void;
}

export default function Panels(props: PanelProps) {
  const { what, view, session, close } = props;
  const skip = what === "skip";
  const reasons = skip
    ? view.schema?.skip_reasons?.length
      ? view.schema.skip_reasons
      : t.label.flag_reasons
    : t.label.flag_reasons;
  return (
    <Reasons
      title={skip ? t.label.skip_title : t.label.flag_title}
      reasons={reasons}
      close={close}
      choose={(reason, comment) => {
        close();
        if (skip) session.skip(reason, comment);
        else {
          session.flag(reason, comment);
          toast(t.label.flag_sent);
        }
      }}
    />
  );
}

function Reasons({
  title,
  reasons,
  choose,
  close,
}: {
  title: string;
  reasons: string[];
  choose: (reason: string, comment?: string) => void;
  close: () => void;
}) {
  const [comment, set_comment] = useState("");
  useEffect(() => {
    const on = (event: KeyboardEvent) => {
      const at = Number(event.key) - 1;
      if (
        (event.target as HTMLElement).tagName === "INPUT" ||
        !reasons[at] ||
        event.ctrlKey ||
        event.metaKey ||
        event.altKey
      )
        return;
      event.preventDefault();
      choose(reasons[at]!, comment.trim() || undefined);
    };
    window.addEventListener("keydown", on);
    return () => window.removeEventListener("keydown", on);
  });
  return (
    <Dialog title={title} onClose={close}>
      <div className="stack">
        <div className="stack tight">
          {reasons.map((reason, at) => (
            <button
              key={reason}
              type="button"
              className="btn"
              style={{ justifyContent: "space-between" }}
              onClick={() => choose(reason, comment.trim() || undefined)}
            >
              {reason}
              {at < 9 && <Kbd of={String(at + 1)} />}
            </button>
          ))}
        </div>
        <div className="field">
          <label htmlFor="why">
            {t.label.skip_comment} <span className="dim small">{t.common.optional}</span>
          </label>
          <input
            id="why"
            className="input"
            value={comment}
            maxLength={2000}
            onChange={(event) => set_comment(event.target.value)}
          />
        </div>
      </div>
    </Dialog>
  );
}
