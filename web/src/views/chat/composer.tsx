// Where a message is written. It grows with the text; the button is Send or Stop in the same place.
import type { RefObject } from "react";
import type { Bound } from "../../actions/action";
import { t } from "../../messages";
import { Kbd } from "../../ui/kbd";
import { Icon } from "./icons";

export function Composer({
  text,
  put,
  field,
  busy,
  can_send,
  send,
  stop,
  placeholder,
  note,
}: {
  text: string;
  put: (text: string) => void;
  field: RefObject<HTMLTextAreaElement | null>;
  busy: boolean;
  can_send: boolean;
  send: () => void;
  stop: Bound | undefined;
  placeholder: string;
  note: string | null;
}) {
  return (
    <div className="composer-frame">
      <div className="composer">
        <div className="composer-box">
          <div className="grows" data-text={text + "\n"}>
            <textarea
              ref={field}
              rows={1}
              aria-label={t.chat.write}
              aria-keyshortcuts="Control+/"
              placeholder={placeholder}
              value={text}
              maxLength={100_000}
              onChange={(event) => put(event.target.value)}
            />
          </div>
          {busy && stop ? (
            <button
              type="button"
              className="btn icon round"
              aria-label={t.chat.stop}
              aria-keyshortcuts="Escape"
              title={t.chat.stop}
              onClick={() => stop.run()}
            >
              <Icon of="stop" />
            </button>
          ) : (
            <button
              type="button"
              className="btn primary icon round"
              aria-label={t.chat.send}
              aria-disabled={!can_send || text.trim() === ""}
              aria-keyshortcuts="Enter"
              title={t.chat.send}
              onClick={send}
            >
              <Icon of="send" />
            </button>
          )}
        </div>
        <div className="composer-foot dim small">
          {note ? (
            <span role="status">{note}</span>
          ) : (
            <span className="hide-small" aria-hidden="true">
              {busy ? (
                <>
                  <Kbd of="esc" /> {t.chat.stop}
                </>
              ) : (
                <>
                  <Kbd of="enter" /> {t.chat.hint_send} <Kbd of="shift" /> <Kbd of="enter" />{" "}
                  {t.chat.hint_line}
                </>
              )}
            </span>
          )}
        </div>
      </div>
    </div>
  );
}
