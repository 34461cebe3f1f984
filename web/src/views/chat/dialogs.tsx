// What is asked in a sheet: a name, a correction, a report, a last question before something is gone.
import { useState, type ReactNode } from "react";
import { t } from "../../messages";
import type { ChatNode } from "../../pure/conversation";
import { toast } from "../../state/toasts";
import { Dialog, DialogActions } from "../../ui/dialog";
import { Field, FormError, Switch, TextField } from "../../ui/forms";

export function RenameDialog({
  title,
  save,
  close,
}: {
  title: string;
  save: (title: string) => void;
  close: () => void;
}) {
  const [name, set_name] = useState(title);
  const done = () => {
    if (!name.trim()) return;
    save(name);
    close();
  };
  return (
    <Dialog
      title={t.chat.rename_title}
      onClose={close}
      footer={<DialogActions go={t.common.save} run={done} cancel={close} busy={!name.trim()} />}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          done();
        }}
      >
        <TextField label={t.common.name} value={name} put={set_name} max_length={120} />
      </form>
    </Dialog>
  );
}

export function SureDialog({
  title,
  text,
  go,
  close,
}: {
  title: string;
  text: string;
  go: () => void;
  close: () => void;
}) {
  return (
    <Dialog
      title={title}
      onClose={close}
      footer={
        <DialogActions
          go={t.chat.remove}
          tone="danger"
          cancel={close}
          run={() => {
            go();
            close();
          }}
        />
      }
    >
      <p>{text}</p>
    </Dialog>
  );
}

/** Says what happened, or stays open with the reason. */
function useSending(
  close: () => void,
): [string | null, boolean, (send: () => Promise<boolean>, sent: string) => void] {
  const [error, set_error] = useState<string | null>(null);
  const [sending, set_sending] = useState(false);
  const run = (send: () => Promise<boolean>, sent: string) => {
    set_sending(true);
    send().then(
      (told) => {
        toast(told ? sent : t.chat.no_feedback, { kind: told ? "good" : "bad" });
        close();
      },
      (reason: unknown) => {
        set_sending(false);
        set_error(reason instanceof Error ? reason.message : String(reason));
      },
    );
  };
  return [error, sending, run];
}

function ConsentNote({ consent }: { consent: boolean }): ReactNode {
  return <p className="notice small">{consent ? t.chat.consent_on : t.chat.consent_off}</p>;
}

export function CorrectDialog({
  node,
  takes_feedback,
  consent,
  save,
  close,
}: {
  node: ChatNode;
  takes_feedback: boolean;
  consent: boolean;
  save: (text: string, send: boolean) => Promise<boolean>;
  close: () => void;
}) {
  const [text, set_text] = useState(node.text);
  const can_send = takes_feedback && Boolean(node.answer?.completion);
  const [send, set_send] = useState(false);
  const [error, sending, run] = useSending(close);
  const ready = text.trim() !== "" && text !== node.text && !sending;
  return (
    <Dialog
      title={t.chat.correct_title}
      onClose={close}
      wide
      footer={
        <DialogActions
          go={t.chat.correct_save}
          busy={!ready}
          cancel={close}
          run={() =>
            run(() => save(text, send && can_send), send && can_send ? t.chat.thanks : t.common.saved)
          }
        />
      }
    >
      <div className="stack">
        <Field label={t.chat.correct} hint={t.chat.correct_hint}>
          {(id, hint_id) => (
            <textarea
              id={id}
              aria-describedby={hint_id}
              className="input"
              rows={14}
              maxLength={100_000}
              value={text}
              onChange={(event) => set_text(event.target.value)}
            />
          )}
        </Field>
        {can_send ? (
          <>
            <Switch
              label={t.chat.correct_send}
              checked={send}
              onChange={(event) => set_send(event.currentTarget.checked)}
            />
            {send && <ConsentNote consent={consent} />}
          </>
        ) : (
          !takes_feedback && <p className="dim small">{t.chat.no_feedback}</p>
        )}
        <FormError text={error} />
      </div>
    </Dialog>
  );
}

export function ReportDialog({
  consent,
  send,
  close,
}: {
  consent: boolean;
  send: (reason: string, comment: string) => Promise<boolean>;
  close: () => void;
}) {
  const reasons = Object.entries(t.chat.report_reasons);
  const [reason, set_reason] = useState(reasons[0]![0]);
  const [comment, set_comment] = useState("");
  const [error, sending, run] = useSending(close);
  return (
    <Dialog
      title={t.chat.report_title}
      onClose={close}
      footer={
        <DialogActions
          go={t.chat.report_send}
          busy={sending}
          cancel={close}
          run={() => run(() => send(reason, comment.trim()), t.chat.thanks)}
        />
      }
    >
      <div className="stack">
        <fieldset className="reasons">
          <legend className="visually-hidden">{t.chat.report_title}</legend>
          {reasons.map(([id, text]) => (
            <label key={id}>
              <input type="radio" name="reason" checked={reason === id} onChange={() => set_reason(id)} />
              {text}
            </label>
          ))}
        </fieldset>
        <Field label={t.chat.report_comment}>
          {(id) => (
            <textarea
              id={id}
              className="input"
              rows={3}
              maxLength={4000}
              value={comment}
              onChange={(event) => set_comment(event.target.value)}
            />
          )}
        </Field>
        <ConsentNote consent={consent} />
        <FormError text={error} />
      </div>
    </Dialog>
  );
}
