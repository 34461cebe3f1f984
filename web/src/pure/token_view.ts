// What the token view shows: how sure the model was of each token, and of the whole.
import type { TokenInfo } from "./chat_stream";

/** exp of the mean negative log-probability; null without tokens. */
export function perplexity(tokens: readonly TokenInfo[]): number | null {
  if (tokens.length === 0) return null;
  return Math.exp(-tokens.reduce((sum, t) => sum + t.logprob, 0) / tokens.length);
}

/** 0 (sure) to 5 (a surprise): steps of probability 0.9, 0.6, 0.3, 0.1, 0.02. */
export function shade(logprob: number): number {
  const p = Math.exp(logprob);
  return p >= 0.9 ? 0 : p >= 0.6 ? 1 : p >= 0.3 ? 2 : p >= 0.1 ? 3 : p >= 0.02 ? 4 : 5;
}

/** A token in visible signs: spaces, ends of lines and parts of characters can be seen. */
export function visible(text: string): string {
  const bytes = /^bytes:((?:\\x[0-9a-f]{2})+)$/i.exec(text)?.[1];
  if (bytes) return "⟨" + bytes.slice(2).replaceAll("\\x", " ") + "⟩";
  if (text === "") return "∅";
  return text
    .replaceAll("\n", "↵")
    .replaceAll("\t", "⇥")
    .replace(/^ +| +$/g, (s) => "␣".repeat(s.length));
}

/** The token as it stands in the running text: a part of a character has no look of its own. */
export const inline = (text: string): string => (text.startsWith("bytes:\\x") ? visible(text) : text);

/** Of what was not shown among the alternatives: the probability left over. */
export const rest_of = (token: TokenInfo): number =>
  Math.max(0, 1 - token.top.reduce((sum, [, p]) => sum + Math.exp(p), 0));

export function percent_of(logprob: number): string {
  const p = Math.exp(logprob) * 100;
  return p >= 99.95 ? "100 %" : p >= 10 ? p.toFixed(1) + " %" : p >= 0.01 ? p.toFixed(2) + " %" : "< 0.01 %";
}
