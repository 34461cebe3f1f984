// A sheet with a form that is sent once: its button names what is missing, waits while it is sent, and a
// refusal stands below the fields. Whoever sends it too early is taken to the field that is wrong.
import { useEffect, useId, useRef, useState, type FocusEvent, type FormEvent, type ReactNode } from "react";
import { Dialog, DialogActions } from "./dialog";
import { WrongField, type Problem } from "./field";
import { FormError } from "./forms";

export interface FormSheetProps {
  title: string;
  go: string; // the button that sends
  problem?: Problem | null; // what is missing or wrong: it stands in place of the button's
  send: () => Promise<unknown>; // an Error it throws is shown; what follows a success is the caller's
  close: () => void;
  children: ReactNode;
  below?: (attempt: (work: () => Promise<unknown>) => void) => ReactNode; // other ways on, refused alike
}

export function FormSheet({ title, go, problem = null, send, close, children, below }: FormSheetProps) {
  const id = useId();
  const form = useRef<HTMLFormElement>(null);
  const [error, set_error] = useState<string | null>(null);
  const [busy, set_busy] = useState(false);
  const [tries, set_tries] = useState(0); // to send it with a problem
  const [left, set_left] = useState<ReadonlySet<string>>(new Set()); // fields that somebody was in
  const shown = problem && (tries > 0 || left.has(problem.field)) ? problem : null;
  useEffect(() => {
    if (tries > 0) form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [tries]);
  const attempt = (work: () => Promise<unknown>) => {
    if (busy) return;
    set_busy(true);
    set_error(null);
    work().catch((e: Error) => {
      set_busy(false);
      set_error(e.message);
    });
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (problem) set_tries((n) => n + 1);
    else attempt(send);
  };
  // Only on the way to another field: nothing moves under a pointer that is about to press a button.
  const leave = (event: FocusEvent<HTMLFormElement>) => {
    const name = (event.target as HTMLElement).getAttribute("name");
    if (name && form.current?.contains(event.relatedTarget)) set_left((old) => new Set(old).add(name));
  };
  return (
    <Dialog
      title={title}
      onClose={close}
      footer={
        <DialogActions
          go={go}
          form={id}
          cancel={close}
          missing={problem && (problem.ask ?? problem.text)}
          busy={busy}
        />
      }
    >
      <form
        id={id}
        ref={form}
        className="stack"
        onSubmit={submit}
        onBlur={leave}
        onChange={() => set_error(null)}
        noValidate
      >
        <WrongField value={shown}>{children}</WrongField>
        <FormError text={error} />
        {below?.(attempt)}
      </form>
    </Dialog>
  );
}
