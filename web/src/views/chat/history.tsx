// The conversations of this browser, newest first.
import { memo } from "react";
import { Link } from "wouter";
import { t } from "../../messages";
import { ago } from "../../pure/format";
import type { Summary } from "../../state/chat_store";
import { Icon } from "./icons";

export const History = memo(function History({
  list,
  current,
  start_new,
  picked,
  durable,
}: {
  list: Summary[];
  current: string;
  start_new: () => void;
  picked: () => void;
  durable: boolean;
}) {
  return (
    <div className="history">
      <button type="button" className="btn" aria-keyshortcuts="Control+Shift+O" onClick={start_new}>
        <Icon of="plus" />
        <span className="grow">{t.chat.new}</span>
      </button>
      {list.length === 0 ? (
        <p className="dim small">{t.chat.no_conversations}</p>
      ) : (
        <ul>
          {list.map((one) => (
            <li key={one.id}>
              <Link
                href={`/chat/${one.id}`}
                className="nav-item"
                aria-current={one.id === current ? "page" : undefined}
                title={one.title}
                onClick={picked}
              >
                <span className="grow clip">{one.title || t.chat.untitled}</span>
                <span className="dim small nowrap">
                  {ago(new Date(one.updated_ms).toISOString(), Date.now())}
                </span>
              </Link>
            </li>
          ))}
        </ul>
      )}
      <p className="dim small foot">{durable ? t.chat.stays_here : t.chat.not_durable}</p>
    </div>
  );
});
