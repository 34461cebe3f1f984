// Numbers and times as people read them.
const number_format = new Intl.NumberFormat("en");
export const count = (n: number): string => number_format.format(n);

/** A server's message as a sentence among others. */
export const sentence = (text: string): string =>
  text.trim() &&
  text.trim()[0]!.toUpperCase() + text.trim().slice(1) + (/[.!?…]$/.test(text.trim()) ? "" : ".");

export function percent(share: number | null | undefined, digits = 0): string {
  return share === null || share === undefined || Number.isNaN(share)
    ? "–"
    : (share * 100).toFixed(digits) + " %";
}
export function fixed(value: number | null | undefined, digits = 2): string {
  return value === null || value === undefined || Number.isNaN(value)
    ? "–"
    : value.toFixed(digits).replace("-", "−");
}
export function p_value(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return value < 0.001 ? "p < 0.001" : "p = " + value.toFixed(3);
}
export function bytes(n: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (n >= 1000 && at < units.length - 1) {
    n /= 1000;
    at++;
  }
  return (at === 0 || n >= 100 ? n.toFixed(0) : n.toFixed(1)) + " " + units[at];
}
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600)
    return s % 60 && s < 600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.round(s / 60)} min`;
  return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
}
export function ago(at: string | null | undefined, now_ms: number): string {
  if (!at) return "–";
  const s = (now_ms - Date.parse(at)) / 1000;
  if (s < 45) return "just now";
  if (s < 3600) return `${Math.max(1, Math.round(s / 60))} min ago`;
  if (s < 86400) return `${Math.round(s / 3600)} h ago`;
  if (s < 14 * 86400) return `${Math.round(s / 86400)} d ago`;
  return at.slice(0, 10);
}
export const day_time = (at: string | null | undefined): string =>
  at ? at.slice(0, 16).replace("T", " ") : "–";
export function compact(n: number): string {
  return n >= 1e9
    ? (n / 1e9).toFixed(1) + " B"
    : n >= 1e6
      ? (n / 1e6).toFixed(0) + " M"
      : n >= 1e3
        ? (n / 1e3).toFixed(0) + " k"
        : String(n);
}
