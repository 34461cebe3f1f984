// Each token with its probability as a shade; what else was likely, on hover and by arrow keys. The
// tokens are drawn once: which one is looked at is written onto its element.
import { memo, useCallback, useEffect, useId, useRef, useState } from "react";
import { t } from "../../messages";
import type { TokenInfo } from "../../pure/chat_stream";
import { inline, percent_of, rest_of, shade, visible } from "../../pure/token_view";

const Tokens = memo(function Tokens({ tokens, id }: { tokens: TokenInfo[]; id: string }) {
  return tokens.map((token, at) => (
    <span
      key={at}
      id={`${id}-${at}`}
      data-at={at}
      role="option"
      aria-selected="false"
      aria-label={visible(token.text)}
      className={"token s" + shade(token.logprob)}
    >
      {token.text.includes("\n") ? (
        <>
          <i>{visible(token.text)}</i>
          {token.text}
        </>
      ) : (
        inline(token.text)
      )}
    </span>
  ));
});

interface Place {
  at: number;
  left: number;
  top: number;
  above: boolean;
}
const kWidth = 264;
const kHeight = 230;

export function TokenList({ tokens }: { tokens: TokenInfo[] }) {
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const [place, set_place] = useState<Place | null>(null);
  const element = useCallback((at: number) => list.current?.children[at] as HTMLElement | undefined, []);

  const look_at = useCallback(
    (at: number | null, scroll = false) => {
      const one = at === null ? undefined : element(at);
      if (at === null || !one || !box.current) return set_place(null);
      if (scroll) one.scrollIntoView({ block: "nearest" });
      const frame = box.current.getBoundingClientRect();
      const rect = one.getClientRects()[0] ?? one.getBoundingClientRect();
      const bottom = box.current.closest(".thread")?.getBoundingClientRect().bottom ?? innerHeight;
      const above = rect.bottom + kHeight > bottom && rect.top - frame.top > kHeight;
      set_place({
        at,
        above,
        left: Math.max(0, Math.min(rect.left - frame.left, frame.width - kWidth)),
        top: (above ? rect.top - 6 : rect.bottom + 6) - frame.top,
      });
    },
    [element],
  );
  const at = place?.at ?? null;
  useEffect(() => {
    const one = at === null ? undefined : element(at);
    const token = at === null ? undefined : tokens[at];
    if (!one || !token) return;
    one.setAttribute("aria-selected", "true");
    const others = token.top.filter(([text]) => text !== token.text).slice(0, 3);
    one.setAttribute(
      "aria-label",
      t.chat.token_at(visible(token.text), percent_of(token.logprob)) +
        (others.length
          ? t.chat.instead(others.map(([text, p]) => `${visible(text)} ${percent_of(p)}`).join(", "))
          : ""),
    );
    return () => {
      one.setAttribute("aria-selected", "false");
      one.setAttribute("aria-label", visible(token.text));
    };
  }, [at, element, tokens]);

  /** The token nearest below or above. */
  const vertical = (from: number, by: 1 | -1): number => {
    const rect = (n: number) => element(n)!.getClientRects()[0] ?? element(n)!.getBoundingClientRect();
    const here = rect(from);
    let line: number | null = null,
      best = from;
    for (let n = from + by; n >= 0 && n < tokens.length; n += by) {
      const there = rect(n);
      if (Math.abs(there.top - here.top) < 4) continue;
      if (line !== null && Math.abs(there.top - line) >= 4) break;
      if (line === null || Math.abs(there.left - here.left) < Math.abs(rect(best).left - here.left)) best = n;
      line ??= there.top;
    }
    return best;
  };
  const on_key = (event: React.KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const from = at ?? -1;
    const to =
      event.key === "ArrowRight"
        ? from + 1
        : event.key === "ArrowLeft"
          ? from - 1
          : event.key === "ArrowDown"
            ? from < 0
              ? 0
              : vertical(from, 1)
            : event.key === "ArrowUp"
              ? from < 0
                ? 0
                : vertical(from, -1)
              : event.key === "Home"
                ? 0
                : event.key === "End"
                  ? tokens.length - 1
                  : null;
    if (event.key === "Escape" && place) {
      event.preventDefault();
      set_place(null);
    } else if (to !== null) {
      event.preventDefault();
      look_at(Math.max(0, Math.min(tokens.length - 1, to)), true);
    }
  };
  return (
    <div className="token-box" ref={box} onMouseLeave={() => set_place(null)}>
      <div
        ref={list}
        className="token-list"
        role="listbox"
        tabIndex={0}
        aria-label={t.chat.tokens_label(tokens.length)}
        aria-activedescendant={at === null ? undefined : `${id}-${at}`}
        onKeyDown={on_key}
        onFocus={(event) => {
          if (event.target.matches(":focus-visible") && !place) look_at(0);
        }}
        onBlur={() => set_place(null)}
        onMouseOver={(event) => {
          const over = (event.target as HTMLElement).closest<HTMLElement>("[data-at]");
          if (over) look_at(Number(over.dataset.at));
        }}
        onClick={(event) => {
          const over = (event.target as HTMLElement).closest<HTMLElement>("[data-at]");
          if (over) look_at(Number(over.dataset.at));
        }}
      >
        <Tokens tokens={tokens} id={id} />
      </div>
      {place && tokens[place.at] && <Alternatives token={tokens[place.at]!} place={place} />}
      <div className="token-legend" aria-hidden="true">
        <span>{t.chat.sure}</span>
        {[0, 1, 2, 3, 4, 5].map((s) => (
          <i key={s} className={"token s" + s} />
        ))}
        <span>{t.chat.surprised}</span>
      </div>
    </div>
  );
}

function Alternatives({ token, place }: { token: TokenInfo; place: Place }) {
  const rows: [string, number][] = token.top.some(([text]) => text === token.text)
    ? token.top
    : [...token.top, [token.text, token.logprob]];
  const rest = rest_of(token);
  return (
    <div
      className={"alternatives" + (place.above ? " above" : "")}
      style={{ left: place.left, top: place.top, width: kWidth }}
      aria-hidden="true"
    >
      {rows.map(([text, p], at) => (
        <div key={at} className={"row" + (text === token.text ? " taken" : "")}>
          <span className="mono clip">{visible(text)}</span>
          <span className="meter">
            <span style={{ width: Math.exp(p) * 100 + "%" }} />
          </span>
          <span className="figure">{percent_of(p)}</span>
        </div>
      ))}
      {token.top.length > 0 && rest > 0.0005 && (
        <div className="row dim">
          <span className="clip">{t.chat.rest}</span>
          <span className="meter">
            <span style={{ width: rest * 100 + "%" }} />
          </span>
          <span className="figure">{percent_of(Math.log(rest))}</span>
        </div>
      )}
    </div>
  );
}
