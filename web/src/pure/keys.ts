// Keys as short names ("a", "ctrl+k", "?", "left"), the same on screen, in actions and in events.

export interface KeyLike {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

const kNames: Record<string, string> = {
  ArrowLeft: "left",
  ArrowRight: "right",
  ArrowUp: "up",
  ArrowDown: "down",
  Escape: "esc",
  Enter: "enter",
  " ": "space",
  Backspace: "backspace",
  Tab: "tab",
  Delete: "delete",
};

/** The name of a key press. Command on a Mac and Control elsewhere are the same key to us. */
export function key_name(event: KeyLike): string {
  const name = kNames[event.key] ?? event.key.toLowerCase();
  let prefix = "";
  if (event.ctrlKey || event.metaKey) prefix += "ctrl+";
  if (event.altKey) prefix += "alt+";
  // For a printed mark ("?") shift is part of the mark itself.
  if (event.shiftKey && (name.length > 1 || /[a-z]/.test(name))) prefix += "shift+";
  return prefix + name;
}

/** Whether the person is writing, so that single letters belong to the text. */
export function is_writing(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  if (!element || typeof element.tagName !== "string") return false;
  if (element.isContentEditable) return true;
  const tag = element.tagName.toLowerCase();
  if (tag === "textarea" || tag === "select") return true;
  if (tag !== "input") return false;
  return !["button", "checkbox", "radio", "range", "submit", "file"].includes(
    (element as HTMLInputElement).type,
  );
}

/** Keys that a focused button or link answers itself. */
export function belongs_to_control(name: string, target: EventTarget | null): boolean {
  if (name !== "enter" && name !== "space") return false;
  const element = target as HTMLElement | null;
  if (!element || typeof element.closest !== "function") return false;
  return (
    element.closest("a[href],button,[role=button],[role=tab],[role=option],[role=menuitem],summary") !== null
  );
}
