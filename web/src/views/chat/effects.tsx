// Small effects of the page: what is said aloud, files that leave it, the width of the window.
import { useEffect, useState, useSyncExternalStore } from "react";
import { t } from "../../messages";
import type { Said } from "../../state/chat_session";

const kMostSpoken = 400;

/** One sentence when an answer begins and one when it ends: nothing for each token. */
export function Announcer({ said }: { said: Said | null }) {
  const [text, set_text] = useState("");
  useEffect(() => {
    if (!said) return set_text("");
    const { kind, node } = said;
    const answer = node?.answer;
    set_text(
      kind === "started"
        ? t.chat.said_started
        : kind === "stopped"
          ? t.chat.said_stopped
          : kind === "failed"
            ? t.chat.said_failed + " " + (answer?.trouble?.message ?? "")
            : node
              ? t.chat.said_finished(
                  answer?.usage?.completion ?? answer?.tokens.length ?? 0,
                  node.text.slice(0, kMostSpoken),
                )
              : t.chat.said_both,
    );
  }, [said]);
  return (
    <div className="visually-hidden" role="status" aria-live="polite">
      {text}
    </div>
  );
}

export function download(text: string, name: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: "application/jsonl" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (changed) => {
      const media = matchMedia(query);
      media.addEventListener("change", changed);
      return () => media.removeEventListener("change", changed);
    },
    () => matchMedia(query).matches,
  );
}
