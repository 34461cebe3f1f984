// A sheet with a form that is sent once: its button names what is missing, waits while it is sent, and a refusal stands below the fields.
import { useId, useState, type FormEvent, type ReactNode } from "react";
import { Dialog, DialogActions } from "./dialog";
import { FormError } from "./forms";

export interface FormSheetProps {
  title: string;
  go: string; // the button that sends
  missing?: string | null; // what is still to be said: in place of the button's text
  send: () => Promise<unknown>; // an Error it throws is shown; what follows a success is the caller's
  close: () => void;
  children: ReactNode;
  below?: (attempt: (work: () => Promise<unknown>) => void) => ReactNode; // other ways on, refused alike
}

export function FormSheet({ title, go, missing, send, close, children, below }: FormSheetProps) {
  const id = useId();
  const [error, set_error] = useState<string | null>(null);
  const [busy, set_busy] = useState(false);
  const attempt = (work: () => Promise<unknown>) => {
    if (busy) return;
    set_busy(true);
    work().catch((e: Error) => {
      set_busy(false);
      set_error(e.message);
    });
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!missing) attempt(send);
  };
  return (
    <Dialog
      title={title}
      onClose={close}
      footer={<DialogActions go={go} form={id} cancel={close} missing={missing} busy={busy} />}
    >
      <form id={id} className="stack" onSubmit={submit} noValidate>
        {children}
        <FormError text={error} />
        {below?.(attempt)}
      </form>
    </Dialog>
  );
}
