const kSigns: Record<string, string> = {
  left: "←",
  right: "→",
  up: "↑",
  down: "↓",
  enter: "↵",
  esc: "Esc",
  backspace: "⌫",
  space: "Space",
  ctrl: "Ctrl",
  shift: "⇧",
  alt: "Alt",
  tab: "Tab",
};
export const key_text = (key: string): string =>
  key
    .split("+")
    .map((part) => kSigns[part] ?? (part.length === 1 ? part.toUpperCase() : part))
    .join(" ");
/** A key as it is printed. Decoration: screen readers get it from aria-keyshortcuts. */
export function Kbd({ of }: { of: string }) {
  return (
    <kbd className="kbd" aria-hidden="true">
      {key_text(of)}
    </kbd>
  );
}
