// Which model answers: bases, adapters and aliases in groups, by the browser's own list.
import { useId } from "react";
import type { Model } from "../../api/chat";
import { t } from "../../messages";

const kind_of = (m: Model): "base" | "adapter" | "alias" =>
  m.alias_of ? "alias" : m.parent ? "adapter" : "base";

export function ModelSelect({
  models,
  value,
  put,
  label,
}: {
  models: Model[];
  value: string;
  put: (id: string) => void;
  label: string;
}) {
  const id = useId();
  return (
    <span className="model-select">
      <label className="visually-hidden" htmlFor={id}>
        {label}
      </label>
      <select id={id} className="input" value={value} onChange={(event) => put(event.target.value)}>
        {!models.some((m) => m.id === value) && <option value={value}>{t.chat.gone(value)}</option>}
        {(["alias", "adapter", "base"] as const).map((kind) => {
          const of_kind = models.filter((m) => kind_of(m) === kind);
          return (
            of_kind.length > 0 && (
              <optgroup key={kind} label={t.chat.kinds[kind]}>
                {of_kind.map((m) => (
                  <option key={m.id} value={m.id}>
                    {m.alias_of ? t.chat.alias_of(m.id, m.alias_of) : m.id}
                  </option>
                ))}
              </optgroup>
            )
          );
        })}
      </select>
    </span>
  );
}

/** Where the model comes from, in a line or two. */
export function ModelFacts({ model }: { model: Model | undefined }) {
  if (!model) return null;
  const facts = [
    ...(model.max_model_len ? [t.chat.context(model.max_model_len)] : []),
    ...(model.parent ? [t.chat.runs_on(model.root ?? model.parent)] : []),
  ];
  return (
    <div className="small">
      <div className="strong clip">{model.id}</div>
      <div className="dim">{facts.join(", ")}</div>
      {model.digest && (
        <div className="dim mono clip" title={model.digest}>
          {t.chat.digest} {model.digest.slice(0, 16)}…
        </div>
      )}
    </div>
  );
}
