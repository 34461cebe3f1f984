// Fields that need no library: a label, a control, a hint; and what is said when a form fails.
import {
  createContext,
  useContext,
  useId,
  type HTMLInputTypeAttribute,
  type ReactNode,
  type RefObject,
} from "react";
import { t } from "../messages";
import { sentence } from "../pure/format";

/** What a form still needs: the field that it is about, and the words. */
export interface Problem {
  field: string;
  text: string; // beside the field
  ask?: string; // on the form's button, where that is another text
}
const Wrong = createContext<Problem | null>(null);
/** A form says which of its fields is wrong; the field shows it. */
export const WrongField = Wrong.Provider;
export function useWrong(name: string | undefined): string | null {
  const problem = useContext(Wrong);
  return name !== undefined && problem?.field === name ? problem.text : null;
}

export function Field({
  label,
  hint,
  name,
  children,
}: {
  label: ReactNode;
  hint?: ReactNode;
  name?: string; // by which a form names it; its control has the same name
  children: (id: string, hint_id: string | undefined, wrong: true | undefined) => ReactNode;
}) {
  const id = useId();
  const wrong = useWrong(name);
  const below = wrong ?? hint;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children(id, below ? id + "-hint" : undefined, wrong ? true : undefined)}
      {below && (
        <span className={"hint" + (wrong ? " bad" : "")} id={id + "-hint"}>
          {below}
        </span>
      )}
    </div>
  );
}

/** One line of text. */
export function TextField({
  label,
  hint,
  name,
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
  name?: string; // as in Field
  value: string;
  put: (value: string) => void;
  type?: HTMLInputTypeAttribute;
  complete?: string;
  example?: string;
  max_length?: number;
  mode?: "decimal" | "numeric";
}) {
  return (
    <Field label={label} hint={hint} name={name}>
      {(id, hint_id, wrong) => (
        <input
          id={id}
          name={name}
          aria-describedby={hint_id}
          aria-invalid={wrong}
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

/** One choice of a list. */
export function SelectField({
  label,
  hint,
  name,
  value,
  put,
  children,
}: {
  label: ReactNode;
  hint?: ReactNode;
  name: string; // as in Field
  value: string;
  put: (value: string) => void;
  children: ReactNode; // the options
}) {
  return (
    <Field label={label} hint={hint} name={name}>
      {(id, hint_id, wrong) => (
        <select
          id={id}
          name={name}
          aria-describedby={hint_id}
          aria-invalid={wrong}
          className="input"
          value={value}
          onChange={(e) => put(e.target.value)}
        >
          {children}
        </select>
      )}
    </Field>
  );
}

/** A label of what may be left empty. */
export const Optional = ({ children }: { children: ReactNode }) => (
  <>
    {children} <span className="dim small">{t.common.optional}</span>
  </>
);

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
      {sentence(text)}
    </p>
  ) : null;
}
