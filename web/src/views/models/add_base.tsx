// A base that the operator offers gets a name in the registry.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { list_bases } from "../../api/runs";
import type { Base } from "../../api/types";
import { t } from "../../messages";
import { compact } from "../../pure/format";
import { SelectField } from "../../ui/forms";
import { AddModelSheet } from "./add_model";

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
  const [base, set_base] = useState(bases[0]!.name);
  const [name, set_name] = useState(base);
  return (
    <AddModelSheet title={t.models.add_base} source={{ base }} name={name} put_name={set_name} close={close}>
      <SelectField
        label={t.models.kinds["base"]}
        value={base}
        put={(chosen) => {
          set_base(chosen);
          set_name(chosen);
        }}
        options={bases.map((b) => [b.name, `${b.file ?? b.name} · ${compact(b.parameters)}`])}
      />
    </AddModelSheet>
  );
}
