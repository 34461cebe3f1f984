// A base that the operator offers gets a name in the registry.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { add_model } from "../../api/registry";
import { list_bases } from "../../api/runs";
import type { Base, RegistryModel } from "../../api/types";
import { t } from "../../messages";
import { compact } from "../../pure/format";
import { toast } from "../../state/toasts";
import { FormSheet } from "../../ui/form_sheet";
import { SelectField } from "../../ui/forms";
import { NameField, name_problem } from "./name_field";
import { kRegistry } from "./promote";

export function AddBase({ models }: { models: RegistryModel[] }) {
  const [open, set_open] = useState(false);
  const bases = useQuery({ queryKey: ["bases"], queryFn: list_bases });
  const items = bases.data?.items ?? [];
  if (items.length === 0) return null;
  return (
    <>
      <button type="button" className="btn slim" onClick={() => set_open(true)}>
        {t.models.add_base}
      </button>
      {open && <Form bases={items} models={models} close={() => set_open(false)} />}
    </>
  );
}

/** The name that a base has in the registry already: the same files are added once. */
const known_as = (base: Base, models: RegistryModel[]): string | null =>
  models.find((m) => m.kind === "base" && m.origin.file && m.origin.file === base.file)?.name ?? null;

function Form({ bases, models, close }: { bases: Base[]; models: RegistryModel[]; close: () => void }) {
  const queries = useQueryClient();
  const first = bases.find((b) => known_as(b, models) === null) ?? bases[0]!;
  const [base, set_base] = useState(first.name);
  const [name, set_name] = useState(first.name);
  const known = known_as(
    bases.find((b) => b.name === base)!,
    models,
  );
  const send = async () => {
    const made = await add_model({ name: name.trim(), base });
    toast(t.models.added(made.name), { kind: "good" });
    void queries.invalidateQueries({ queryKey: kRegistry });
    close();
  };
  return (
    <FormSheet
      title={t.models.add_base}
      go={t.models.add}
      problem={known !== null ? { field: "base", text: t.models.in_registry(known) } : name_problem(name)}
      send={send}
      close={close}
    >
      <p className="dim">{t.models.add_base_text}</p>
      <SelectField
        label={t.models.kinds["base"]}
        name="base"
        value={base}
        put={(value) => {
          set_base(value);
          set_name(value);
        }}
      >
        {bases.map((b) => {
          const as = known_as(b, models);
          return (
            <option key={b.name} value={b.name}>
              {b.file ?? b.name} ·{" "}
              {as === null ? t.runs.parameters(compact(b.parameters)) : t.models.in_registry(as)}
            </option>
          );
        })}
      </SelectField>
      <NameField value={name} put={set_name} />
    </FormSheet>
  );
}
