// Light, dark or as the system says. The attribute is what public/theme.js set before the first paint.
export type Theme = "system" | "light" | "dark";
const kKey = "hone.theme";
const listeners = new Set<() => void>();
const dark_system = () =>
  typeof matchMedia !== "undefined" && matchMedia("(prefers-color-scheme: dark)").matches;

export function get_theme(): Theme {
  try {
    const kept = localStorage.getItem(kKey);
    return kept === "light" || kept === "dark" ? kept : "system";
  } catch {
    return "system";
  }
}
export const is_dark = (): boolean => {
  const t = get_theme();
  return t === "dark" || (t === "system" && dark_system());
};
export function set_theme(theme: Theme): void {
  try {
    if (theme === "system") localStorage.removeItem(kKey);
    else localStorage.setItem(kKey, theme);
  } catch {
    /* storage may be off */
  }
  apply();
}
function apply(): void {
  document.documentElement.setAttribute("data-mantine-color-scheme", is_dark() ? "dark" : "light");
  for (const listener of listeners) listener();
}
export function watch_theme(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
if (typeof matchMedia !== "undefined")
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
