// What has not reached the server yet, in words; nothing when all is well.
import { useEffect, useState, useSyncExternalStore } from "react";
import { t } from "../../messages";
import type { Outbox } from "../../state/outbox";
import { outbox_of } from "../../state/outbox_instance";
import { useSession } from "../../state/session";
import { Dialog } from "../../ui/dialog";

export function useOutbox(): Outbox | null {
  const session = useSession();
  const [outbox, set] = useState<Outbox | null>(null);
  useEffect(() => {
    let here = true;
    void outbox_of(session).then((o) => {
      if (here) set(o);
    });
    return () => {
      here = false;
    };
  }, [session]);
  return outbox;
}

export function OutboxChip() {
  const outbox = useOutbox();
  return outbox ? <Chip outbox={outbox} /> : null;
}

function Chip({ outbox }: { outbox: Outbox }) {
  const view = useSyncExternalStore(outbox.subscribe, outbox.view);
  const [open, set_open] = useState(false);
  const [late, set_late] = useState(false);
  // An answer on its way for a moment is normal; one that is still here after two seconds is news.
  useEffect(() => {
    set_late(false);
    if (!view.waiting || view.oldest_ms === null) return;
    const timer = setTimeout(() => set_late(true), 2000);
    return () => clearTimeout(timer);
  }, [view.oldest_ms, view.waiting]);
  const waits = view.waiting > 0 && (view.away || view.signed_out || late);
  return (
    <>
      <span role="status" className="row">
        {waits && (
          <span className="badge warn">
            {view.signed_out ? t.label.signed_out(view.waiting) : t.label.waiting(view.waiting)}
          </span>
        )}
        {waits && !view.durable && <span className="badge warn">{t.label.not_durable}</span>}
      </span>
      {view.refused.length > 0 && (
        <button type="button" className="badge bad" onClick={() => set_open(true)}>
          {t.label.refused(view.refused.length)}
        </button>
      )}
      {open && (
        <Dialog title={t.label.refused_title} onClose={() => set_open(false)}>
          <div className="stack">
            <p className="dim">{t.label.refused_text}</p>
            {view.refused.map((entry) => (
              <div key={entry.id} className="row between">
                <span className="grow">{entry.reason}</span>
                <button type="button" className="btn slim" onClick={() => void outbox.retry(entry.id)}>
                  {t.label.send_again}
                </button>
                <button
                  type="button"
                  className="btn slim danger"
                  onClick={() => void outbox.discard(entry.id)}
                >
                  {t.label.let_go}
                </button>
              </div>
            ))}
          </div>
        </Dialog>
      )}
    </>
  );
}
