// Find or do anything: one list of commands, filtered as you write.
import { useMemo, useRef, useState } from "react";
import type { Bound } from "../actions/action";
import { t } from "../messages";
import { Dialog } from "./dialog";
import { Kbd, key_text } from "./kbd";

const kMost = 60;
function score(title: string, words: string[]): number {
  const text = title.toLowerCase();
  let sum = 0;
  for (const word of words) {
    const at = text.indexOf(word);
    if (at < 0) return -1;
    sum += at === 0 || /\s|·/.test(text[at - 1]!) ? 2 : 1;
  }
  return sum;
}

export function Palette({ actions, close }: { actions: Bound[]; close: () => void }) {
  const [query, set_query] = useState("");
  const [at, set_at] = useState(0);
  const list_ref = useRef<HTMLUListElement>(null);
  const found = useMemo(() => {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    return actions
      .filter((a) => !a.hidden && a.id !== "palette" && a.enabled)
      .map((a) => ({ a, n: score(a.title + " " + (t.actions.groups[a.group] ?? ""), words) }))
      .filter((x) => x.n >= 0)
      .sort((x, y) => y.n - x.n)
      .slice(0, kMost)
      .map((x) => x.a);
  }, [actions, query]);
  const move = (to: number) => {
    const next = (to + found.length) % Math.max(1, found.length);
    set_at(next);
    list_ref.current?.children[next]?.scrollIntoView({ block: "nearest" });
  };
  const run = (action: Bound | undefined) => {
    if (!action) return;
    close();
    setTimeout(() => action.run(), 0);
  };
  return (
    <Dialog title={t.actions.palette} onClose={close} bare>
      <div className="palette">
        <input
          autoFocus
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={found[at] ? "palette-" + at : undefined}
          aria-label={t.actions.placeholder}
          placeholder={t.actions.placeholder}
          value={query}
          onChange={(event) => {
            set_query(event.target.value);
            set_at(0);
          }}
          onKeyDown={(event) => {
            if (event.key === "ArrowDown") {
              event.preventDefault();
              move(at + 1);
            } else if (event.key === "ArrowUp") {
              event.preventDefault();
              move(at - 1);
            } else if (event.key === "Enter") {
              event.preventDefault();
              run(found[at]);
            }
          }}
        />
        <ul id="palette-list" role="listbox" aria-label={t.actions.palette} ref={list_ref}>
          {found.map((action, i) => (
            <li
              key={action.id}
              id={"palette-" + i}
              role="option"
              aria-selected={i === at}
              onMouseMove={() => set_at(i)}
              onClick={() => run(action)}
            >
              <span className="grow clip">{action.title}</span>
              <span className="group">{t.actions.groups[action.group] ?? ""}</span>
              {action.keys[0] && <Kbd of={action.keys[0]} />}
            </li>
          ))}
          {found.length === 0 && (
            <li className="dim" role="option" aria-selected="false" aria-disabled="true">
              {t.actions.nothing}
            </li>
          )}
        </ul>
      </div>
    </Dialog>
  );
}

/** The keys that work here, from the same list. */
export function KeySheet({ actions, close }: { actions: Bound[]; close: () => void }) {
  const groups = [...new Set(actions.filter((a) => a.keys.length && !a.hidden).map((a) => a.group))];
  return (
    <Dialog title={t.actions.keys_title} onClose={close} wide>
      <div className="stack loose">
        {groups.map((group) => (
          <section key={group}>
            <h3 className="dim" style={{ marginBottom: 6 }}>
              {t.actions.groups[group] ?? group}
            </h3>
            <div className="keys">
              {actions
                .filter((a) => a.group === group && a.keys.length && !a.hidden)
                .map((a) => (
                  <div key={a.id}>
                    <span>{a.title}</span>
                    <span className="row" style={{ gap: 4 }}>
                      {a.keys.slice(0, 3).map((k) => (
                        <Kbd key={k} of={k} />
                      ))}
                      <span className="visually-hidden">{a.keys.map(key_text).join(", ")}</span>
                    </span>
                  </div>
                ))}
            </div>
          </section>
        ))}
        <p className="dim small">{t.actions.keys_note}</p>
      </div>
    </Dialog>
  );
}
