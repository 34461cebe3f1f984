// Fields that need no library: a label, a control, a hint; and what is said when a form fails.
import { useId, type HTMLInputTypeAttribute, type ReactNode, type RefObject } from "react";

export function Field({
  label,
  hint,
  children,
}: {
  label: ReactNode;
  hint?: ReactNode;
  children: (id: string, hint_id: string | undefined) => ReactNode;
}) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children(id, hint ? id + "-hint" : undefined)}
      {hint && (
        <span className="hint" id={id + "-hint"}>
          {hint}
        </span>
      )}
    </div>
  );
}

/** One line of text. */
export function TextField({
  label,
  hint,
  value,
  put,
  type,
  complete,
  example,
  max_length,
  mode,
}: {
  label: ReactNode;
  hint?: ReactNode;
  value: string;
  put: (value: string) => void;
  type?: HTMLInputTypeAttribute;
  complete?: string;
  example?: string;
  max_length?: number;
  mode?: "decimal" | "numeric";
}) {
  return (
    <Field label={label} hint={hint}>
      {(id, hint_id) => (
        <input
          id={id}
          aria-describedby={hint_id}
          className="input"
          type={type}
          autoComplete={complete}
          placeholder={example}
          maxLength={max_length}
          inputMode={mode}
          value={value}
          onChange={(e) => put(e.target.value)}
        />
      )}
    </Field>
  );
}

/** One of a few, in a row of filters: values with their words. */
export function Choice({
  label,
  value,
  onChange,
  options,
  reference,
}: {
  label: string;
  value: string;
  onChange: (v: string) => void;
  options: [string, string][];
  reference?: RefObject<HTMLSelectElement | null>;
}) {
  return (
    <select
      ref={reference}
      className="native-select"
      aria-label={label}
      value={value}
      onChange={(e) => onChange(e.target.value)}
    >
      {options.map(([v, text]) => (
        <option key={v} value={v}>
          {text}
        </option>
      ))}
    </select>
  );
}

export function FormError({ text }: { text: string | null }) {
  return text ? (
    <p className="bad small" role="alert">
      {text}
    </p>
  ) : null;
}
