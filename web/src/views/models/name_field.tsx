// The name under which a model answers.
import { t } from "../../messages";
import { is_model_name } from "../../pure/entry";
import type { Problem } from "../../ui/field";
import { TextField } from "../../ui/forms";

const kField = "name";
export function name_problem(name: string): Problem | null {
  if (!name.trim()) return { field: kField, text: t.models.missing_alias };
  return is_model_name(name.trim())
    ? null
    : { field: kField, text: t.models.bad_name, ask: t.models.fix_name };
}

export function NameField({
  value,
  put,
  example,
}: {
  value: string;
  put: (value: string) => void;
  example?: string;
}) {
  return (
    <TextField
      label={t.models.alias_name}
      hint={t.models.alias_hint}
      name={kField}
      example={example}
      value={value}
      put={put}
      max_length={100}
    />
  );
}
