// Short messages that pass. One list, read by ui/toasts.
export interface Toast {
  id: number;
  text: string;
  kind: "plain" | "good" | "bad";
  action?: { title: string; keys?: string; run: () => void } | undefined;
  life_ms: number;
  slot?: string;
}
let toasts: Toast[] = [];
let serial = 0;
const listeners = new Set<() => void>();
const changed = () => {
  for (const listener of listeners) listener();
};

export const watch_toasts = (listener: () => void): (() => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};
export const get_toasts = (): Toast[] => toasts;
export function dismiss(id: number): void {
  toasts = toasts.filter((t) => t.id !== id);
  changed();
}
export function toast(text: string, more: Partial<Omit<Toast, "id" | "text">> = {}): number {
  const one: Toast = { kind: "plain", life_ms: 4000, ...more, text, id: ++serial };
  toasts = [...toasts.filter((x) => !one.slot || x.slot !== one.slot).slice(-3), one]; // one slot, one message
  changed();
  setTimeout(() => dismiss(one.id), one.life_ms);
  return one.id;
}
export const toast_error = (error: unknown): void => {
  toast(error instanceof Error ? error.message : String(error), { kind: "bad", life_ms: 8000 });
};
