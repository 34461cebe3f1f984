import type { ReactNode } from "react";
import type { Bound } from "../actions/action";
import { Kbd } from "./kbd";

const aria_keys = (keys: string[]): string | undefined =>
  keys
    .map((k) =>
      k
        .split("+")
        .map(
          (p) =>
            ({
              ctrl: "Control",
              left: "ArrowLeft",
              right: "ArrowRight",
              up: "ArrowUp",
              down: "ArrowDown",
              enter: "Enter",
              esc: "Escape",
              backspace: "Backspace",
            })[p] ?? p.toUpperCase(),
        )
        .join("+"),
    )
    .join(" ") || undefined;

/** A command as a button: title, key, state all come from the one object. */
export function ActionButton({
  action,
  className = "",
  children,
  pressed,
  keys = true,
  why,
}: {
  action: Bound;
  className?: string;
  children?: ReactNode;
  pressed?: boolean | undefined;
  keys?: boolean;
  why?: string | undefined;
}) {
  return (
    <button
      type="button"
      className={"btn " + className}
      aria-disabled={!action.enabled}
      aria-pressed={pressed}
      aria-keyshortcuts={aria_keys(action.keys)}
      title={why}
      onClick={() => {
        if (action.enabled) action.run();
      }}
    >
      {children ?? action.title}
      {keys && action.keys[0] && <Kbd of={action.keys[0]} />}
    </button>
  );
}
