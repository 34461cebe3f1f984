// Fields that need no library: a label, a control, a hint; and what is said when a form fails.
import { useId, type HTMLInputTypeAttribute, type ReactNode, type RefObject } from "react";
import { t } from "../messages";

interface Labels {
  label: ReactNode;
  hint?: ReactNode;
  optional?: boolean | undefined; // said behind the label
}

export function Field({
  label,
  hint,
  optional,
  children,
}: Labels & { children: (id: string, hint_id: string | undefined) => ReactNode }) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>
        {label}
        {optional && <span className="dim small"> {t.common.optional}</span>}
      </label>
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
  value,
  put,
  type,
  complete,
  example,
  max_length,
  mode,
  focus,
  ...labels
}: Labels & {
  value: string;
  put: (value: string) => void;
  type?: HTMLInputTypeAttribute;
  complete?: string;
  example?: string;
  max_length?: number;
  mode?: "decimal" | "numeric";
  focus?: boolean; // from the start
}) {
  return (
    <Field {...labels}>
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
          autoFocus={focus}
          value={value}
          onChange={(e) => put(e.target.value)}
        />
      )}
    </Field>
  );
}

/** Several lines of text. */
export function AreaField({
  value,
  put,
  rows,
  max_length,
  example,
  mono,
  ...labels
}: Labels & {
  value: string;
  put: (value: string) => void;
  rows: number;
  max_length: number;
  example?: string;
  mono?: boolean;
}) {
  return (
    <Field {...labels}>
      {(id, hint_id) => (
        <textarea
          id={id}
          aria-describedby={hint_id}
          className={mono ? "input mono" : "input"}
          rows={rows}
          maxLength={max_length}
          placeholder={example}
          value={value}
          onChange={(e) => put(e.target.value)}
        />
      )}
    </Field>
  );
}

/** A value with its words; `off` is shown and cannot be taken. */
type Option = readonly [value: string, text: string, off?: boolean];

const drawn = (options: readonly Option[]) =>
  options.map(([value, text, off]) => (
    <option key={value} value={value} disabled={off}>
      {text}
    </option>
  ));

/** One of a few. */
export function SelectField({
  value,
  put,
  options,
  focus,
  ...labels
}: Labels & {
  value: string;
  put: (value: string) => void;
  options: readonly Option[];
  focus?: boolean; // from the start
}) {
  return (
    <Field {...labels}>
      {(id, hint_id) => (
        <select
          id={id}
          aria-describedby={hint_id}
          className="input"
          autoFocus={focus}
          value={value}
          onChange={(e) => put(e.target.value)}
        >
          {drawn(options)}
        </select>
      )}
    </Field>
  );
}

/** One of a few, in a row of filters. */
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
  options: readonly Option[];
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
      {drawn(options)}
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
