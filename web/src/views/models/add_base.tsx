// A base that the operator offers gets a name in the registry.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { add_model } from "../../api/registry";
import { list_bases } from "../../api/runs";
import type { Base } from "../../api/types";
import { t } from "../../messages";
import { compact } from "../../pure/format";
import { toast } from "../../state/toasts";
import { FormSheet } from "../../ui/form_sheet";
import { Field, TextField } from "../../ui/forms";
import { kRegistry } from "./promote";

export function AddBase() {
  const [open, set_open] = useState(false);
  const bases = useQuery({ queryKey: ["bases"], queryFn: list_bases });
  const items = bases.data?.items ?? [];
  if (items.length === 0) return null;
  return (
    <>
      <button type="button" className="btn slim" onClick={() => set_open(true)}>
        {t.models.add_base}
      </button>
      {open && <Form bases={items} close={() => set_open(false)} />}
    </>
  );
}

function Form({ bases, close }: { bases: Base[]; close: () => void }) {
  const queries = useQueryClient();
  const [base, set_base] = useState(bases[0]!.name);
  const [name, set_name] = useState(bases[0]!.name);
  const missing = name.trim() ? null : t.models.missing_alias;
  const send = async () => {
    const made = await add_model({ name: name.trim(), base });
    toast(t.models.added(made.name), { kind: "good" });
    void queries.invalidateQueries({ queryKey: kRegistry });
    close();
  };
  return (
    <FormSheet title={t.models.add_base} go={t.models.add} missing={missing} send={send} close={close}>
      <Field label={t.models.kinds["base"]}>
        {(id) => (
          <select
            id={id}
            className="input"
            value={base}
            onChange={(e) => {
              set_base(e.target.value);
              set_name(e.target.value);
            }}
          >
            {bases.map((b) => (
              <option key={b.name} value={b.name}>
                {b.file ?? b.name} · {compact(b.parameters)}
              </option>
            ))}
          </select>
        )}
      </Field>
      <TextField
        label={t.models.alias_name}
        hint={t.models.alias_hint}
        value={name}
        put={set_name}
        max_length={100}
      />
    </FormSheet>
  );
}
