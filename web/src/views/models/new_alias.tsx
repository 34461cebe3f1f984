import { useState, type FormEvent } from "react";
import { t } from "../../messages";
import { Dialog, DialogActions } from "../../ui/dialog";
import { TextField } from "../../ui/forms";

/** A name for what does not answer yet; the model comes next. */
export function NewAlias({ named, close }: { named: (name: string) => void; close: () => void }) {
  const [name, set_name] = useState("");
  const missing = name.trim() ? null : t.models.missing_alias;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!missing) named(name.trim());
  };
  return (
    <Dialog
      title={t.models.new_alias}
      onClose={close}
      footer={<DialogActions go={t.models.moves.promote} form="new-alias" cancel={close} missing={missing} />}
    >
      <form id="new-alias" className="stack" onSubmit={submit} noValidate>
        <TextField
          label={t.models.alias_name}
          hint={t.models.alias_hint}
          example={t.models.alias_example}
          value={name}
          put={set_name}
          max_length={100}
        />
      </form>
    </Dialog>
  );
}
