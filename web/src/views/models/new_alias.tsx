import { useState } from "react";
import { t } from "../../messages";
import { FormSheet } from "../../ui/form_sheet";
import { NameField, name_problem } from "./name_field";

/** A name for what does not answer yet; the model comes next. */
export function NewAlias({ named, close }: { named: (name: string) => void; close: () => void }) {
  const [name, set_name] = useState("");
  return (
    <FormSheet
      title={t.models.new_alias}
      go={t.models.choose_model}
      problem={name_problem(name)}
      send={async () => named(name.trim())}
      close={close}
    >
      <NameField value={name} put={set_name} example={t.models.alias_example} />
    </FormSheet>
  );
}
