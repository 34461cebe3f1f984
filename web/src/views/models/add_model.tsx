// A sheet that gives a model a name in the registry; what is named is the caller's.
import { useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { add_model } from "../../api/registry";
import { t } from "../../messages";
import { kRegistry } from "../../state/registry";
import { toast } from "../../state/toasts";
import { FormSheet } from "../../ui/form_sheet";
import { TextField } from "../../ui/forms";

export function AddModelSheet({
  title,
  source,
  name,
  put_name,
  close,
  children,
}: {
  title: string;
  source: { base: string } | { run_id: string };
  name: string;
  put_name: (name: string) => void;
  close: () => void;
  children: ReactNode;
}) {
  const queries = useQueryClient();
  const send = async () => {
    const made = await add_model({ name: name.trim(), ...source });
    toast(t.models.added(made.name), { kind: "good" });
    void queries.invalidateQueries({ queryKey: kRegistry });
    close();
  };
  return (
    <FormSheet
      title={title}
      go={t.models.add}
      missing={name.trim() ? null : t.models.missing_alias}
      send={send}
      close={close}
    >
      {children}
      <TextField
        label={t.models.alias_name}
        hint={t.models.alias_hint}
        value={name}
        put={put_name}
        max_length={100}
      />
    </FormSheet>
  );
}
