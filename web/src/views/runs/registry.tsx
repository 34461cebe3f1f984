// A run that is done becomes a model of the registry.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { Link } from "wouter";
import { add_model, list_registry } from "../../api/registry";
import type { Run } from "../../api/types";
import { t } from "../../messages";
import { useCan } from "../../state/session";
import { toast } from "../../state/toasts";
import { Dialog, DialogActions } from "../../ui/dialog";
import { FormError, TextField } from "../../ui/forms";

const kKey = ["registry", "models"];
const as_name = (text: string) =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9._:/-]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 60);

export function AddToRegistry({ run }: { run: Run }) {
  const can = useCan();
  const [open, set_open] = useState(false);
  const models = useQuery({ queryKey: kKey, queryFn: list_registry, enabled: can("model.view") });
  const known = models.data?.items.find((m) => m.origin.run === run.id);
  if (known) {
    return (
      <Link href="/models" className="btn">
        {t.models.in_registry(known.name)}
      </Link>
    );
  }
  if (!can("model.manage") || !models.data) return null;
  return (
    <>
      <button type="button" className="btn" onClick={() => set_open(true)}>
        {t.models.add_run}
      </button>
      {open && <AddDialog run={run} close={() => set_open(false)} />}
    </>
  );
}

function AddDialog({ run, close }: { run: Run; close: () => void }) {
  const queries = useQueryClient();
  const [name, set_name] = useState(as_name(run.name));
  const [error, set_error] = useState<string | null>(null);
  const [busy, set_busy] = useState(false);
  const missing = name.trim() ? null : t.models.missing_alias;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (missing || busy) return;
    set_busy(true);
    add_model({ name: name.trim(), run_id: run.id }).then(
      (made) => {
        toast(t.models.added(made.name), { kind: "good" });
        void queries.invalidateQueries({ queryKey: ["registry"] });
        close();
      },
      (e: Error) => {
        set_busy(false);
        set_error(e.message);
      },
    );
  };
  return (
    <Dialog
      title={t.models.add_run_title}
      onClose={close}
      footer={<DialogActions go={t.models.add} form="add-run" cancel={close} missing={missing} busy={busy} />}
    >
      <form id="add-run" className="stack" onSubmit={submit} noValidate>
        <p className="dim">{t.models.add_run_text}</p>
        <TextField
          label={t.models.alias_name}
          hint={t.models.alias_hint}
          value={name}
          put={set_name}
          max_length={100}
        />
        <FormError text={error} />
      </form>
    </Dialog>
  );
}
