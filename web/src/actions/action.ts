// A command is one object: the same thing on a key, on a button and in the palette. Screens register
// their commands while they are shown; the last registered scope answers a key first.
import { useEffect, useMemo, useSyncExternalStore } from "react";
import { belongs_to_control, is_writing, key_name } from "../pure/keys";

export interface Action<Context> {
  id: string;
  title: (context: Context) => string;
  group: string;
  keys?: string[]; // "a", "ctrl+k"; the first is the one shown
  accepts?: (context: Context, key: string) => boolean; // keys that depend on the moment
  writing?: boolean; // its keys also work while somebody writes
  hidden?: boolean; // not in the palette (digits, Backspace)
  shown?: (context: Context) => boolean; // whether it exists here at all
  enabled?: (context: Context) => boolean;
  run: (context: Context, key: string) => void;
}

export interface Bound {
  id: string;
  title: string;
  group: string;
  keys: string[];
  writing: boolean;
  hidden: boolean;
  enabled: boolean;
  accepts: (key: string) => boolean;
  run: (key?: string) => void;
}

export function bind<Context>(action: Action<Context>, context: Context): Bound {
  return {
    id: action.id,
    title: action.title(context),
    group: action.group,
    keys: action.keys ?? [],
    writing: action.writing ?? false,
    hidden: action.hidden ?? false,
    enabled: action.enabled?.(context) ?? true,
    accepts: (key) => (action.keys?.includes(key) ?? false) || (action.accepts?.(context, key) ?? false),
    run: (key = "") => action.run(context, key),
  };
}

type Scope = { list: () => Bound[] };
let scopes: Scope[] = [];
let version = 0;
const listeners = new Set<() => void>();
const changed = () => {
  version++;
  for (const listener of listeners) listener();
};

export const watch_actions = (listener: () => void): (() => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};
export const actions_version = (): number => version;
/** All commands of now, the innermost screen's first. */
export const all_actions = (): Bound[] => [...scopes].reverse().flatMap((scope) => scope.list());
export function find_action(id: string): Bound | undefined {
  return all_actions().find((a) => a.id === id);
}

/** The commands of this screen, for as long as it is shown. `get` gives the context of the moment. */
export function useActions<Context>(actions: Action<Context>[], get: () => Context): void {
  const scope = useMemo<Scope>(
    () => ({
      list: () => {
        const context = get();
        return actions.filter((a) => a.shown?.(context) ?? true).map((a) => bind(a, context));
      },
    }),
    [actions, get],
  );
  useEffect(() => {
    scopes = [...scopes, scope];
    changed();
    return () => {
      scopes = scopes.filter((s) => s !== scope);
      changed();
    };
  }, [scope]);
}
export const useActionList = (): Bound[] => {
  useSyncExternalStore(watch_actions, actions_version);
  return all_actions();
};

/** What a key press does; true when it did something. */
export function press(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.isComposing) return false;
  const name = key_name(event);
  const writing = is_writing(event.target);
  if (belongs_to_control(name, event.target)) return false;
  const modal = document.querySelector("dialog[open]");
  if (modal && !(event.target instanceof Node && modal.contains(event.target))) return false;
  if (modal && name !== "ctrl+k") return false;
  for (const action of all_actions()) {
    if (!action.accepts(name) || (writing && !action.writing) || !action.enabled) continue;
    event.preventDefault();
    action.run(name);
    return true;
  }
  return false;
}
export function useKeys(): void {
  useEffect(() => {
    const on = (event: KeyboardEvent) => {
      press(event);
    };
    window.addEventListener("keydown", on);
    return () => window.removeEventListener("keydown", on);
  }, []);
}
