import { useSyncExternalStore } from "react";
import { dismiss, get_toasts, watch_toasts } from "../state/toasts";
import { Kbd } from "./kbd";

export function Toasts() {
  const list = useSyncExternalStore(watch_toasts, get_toasts);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {list.map((one) => (
        <div key={one.id} className={"toast " + one.kind}>
          <span>{one.text}</span>
          {one.action && (
            <button
              type="button"
              className="btn slim"
              onClick={() => {
                one.action!.run();
                dismiss(one.id);
              }}
            >
              {one.action.title}
              {one.action.keys && <Kbd of={one.action.keys} />}
            </button>
          )}
        </div>
      ))}
    </div>
  );
}
