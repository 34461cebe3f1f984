import { useState } from "react";
import { t } from "../messages";

/** Whether it worked. Beyond this machine, plain http has no clipboard: the old way is tried there. */
export async function copy_text(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "visually-hidden";
    const before = document.activeElement as HTMLElement | null;
    document.body.append(field);
    field.select();
    const worked = document.execCommand("copy");
    field.remove();
    before?.focus({ preventScroll: true });
    return worked;
  }
}

/** A secret or link, shown once, with a button that copies it. */
export function CopyLine({ text, label }: { text: string; label: string }) {
  const [copied, set_copied] = useState(false);
  const copy = () => {
    void navigator.clipboard?.writeText(text).then(
      () => set_copied(true),
      () => undefined,
    );
  };
  return (
    <div className="row">
      <input
        className="input mono grow"
        readOnly
        value={text}
        aria-label={label}
        onFocus={(event) => event.target.select()}
      />
      <button type="button" className="btn" onClick={copy}>
        {copied ? t.common.copied : t.common.copy}
      </button>
    </div>
  );
}
export const whole_link = (link: string): string =>
  link.startsWith("/") ? window.location.origin + link : link;
