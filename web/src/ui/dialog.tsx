// A sheet over the page: the browser's own dialog, which keeps the focus inside and gives it back.
import { useEffect, useId, useRef, type ReactNode } from "react";
import { t } from "../messages";

export interface DialogProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
  footer?: ReactNode;
  wide?: boolean;
  side?: boolean;
  bare?: boolean;
  tools?: ReactNode;
}

export function Dialog({ title, onClose, children, footer, wide, side, bare, tools }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current!;
    const before = document.activeElement as HTMLElement | null;
    if (!dialog.open) dialog.showModal();
    // What is asked comes first, not the way out.
    dialog
      .querySelector<HTMLElement>("form input, form select, form textarea")
      ?.focus({ preventScroll: true });
    return () => {
      if (dialog.open) dialog.close();
      before?.focus?.({ preventScroll: true });
    };
  }, []);
  return (
    <dialog
      ref={ref}
      className={"sheet" + (wide ? " wide" : "") + (side ? " side" : "")}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === ref.current) onClose();
      }}
    >
      {bare ? (
        <h2 id={id} className="visually-hidden">
          {title}
        </h2>
      ) : (
        <header>
          <h2 id={id} className="clip">
            {title}
          </h2>
          <span className="row">
            {tools}
            <button
              type="button"
              className="btn quiet slim icon"
              aria-label={t.common.close}
              onClick={onClose}
            >
              ✕
            </button>
          </span>
        </header>
      )}
      {bare ? children : <div className="body">{children}</div>}
      {footer && <footer>{footer}</footer>}
    </dialog>
  );
}

/** The foot of a sheet that asks something: out of it, and on. */
export function DialogActions({
  go,
  run,
  cancel,
  tone = "primary",
  missing,
  busy,
  form,
}: {
  go: string;
  run?: () => void;
  cancel: () => void;
  tone?: "primary" | "danger";
  missing?: string | null | undefined; // what is still to be said: in place of the button's text
  busy?: boolean;
  form?: string; // submits the form of this id instead of run
}) {
  return (
    <>
      <button type="button" className="btn" onClick={cancel}>
        {t.common.cancel}
      </button>
      <button
        type={form ? "submit" : "button"}
        form={form}
        className={"btn " + tone}
        aria-disabled={Boolean(missing) || busy || undefined}
        onClick={() => {
          if (!missing && !busy) run?.();
        }}
      >
        {missing || go}
      </button>
    </>
  );
}
