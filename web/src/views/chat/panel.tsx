// How answers are made, and what is kept of judgements. All of it is remembered in this browser.
import { memo, useId } from "react";
import type { Model } from "../../api/chat";
import { t } from "../../messages";
import {
  default_sampling,
  kLimits,
  kNumberFields,
  wrong_fields,
  type NumberField,
  type Sampling,
} from "../../pure/sampling";
import type { ChatSettings } from "../../state/chat_settings";
import { Field, FormError, Switch, TextField } from "../../ui/forms";
import { ModelFacts } from "./models";

const range_of = (field: NumberField): string => {
  const { from, to, whole } = kLimits[field];
  return t.chat.range(t.chat.fields[field]!, from, to, whole ?? false);
};

export const SettingsPanel = memo(function SettingsPanel({
  settings,
  put,
  system,
  put_system,
  models,
  takes_feedback,
}: {
  settings: ChatSettings;
  put: (change: Partial<ChatSettings>) => void;
  system: string;
  put_system: (text: string) => void;
  models: Model[];
  takes_feedback: boolean;
}) {
  const { sampling } = settings;
  const wrong = wrong_fields(sampling);
  const set = (field: keyof Sampling, value: string) => put({ sampling: { ...sampling, [field]: value } });
  const consent_id = useId();
  return (
    <div className="chat-panel stack loose">
      {!settings.compare && <ModelFacts model={models.find((m) => m.id === settings.model)} />}
      <Field label={t.chat.system} hint={t.chat.system_hint}>
        {(id, hint_id) => (
          <textarea
            id={id}
            aria-describedby={hint_id}
            className="input"
            rows={3}
            maxLength={100_000}
            placeholder={t.chat.system_example}
            value={system}
            onChange={(event) => put_system(event.target.value)}
          />
        )}
      </Field>
      <section className="stack" aria-label={t.chat.sampling}>
        <div className="row between">
          <h2>{t.chat.sampling}</h2>
          <button
            type="button"
            className="btn quiet slim"
            onClick={() => put({ sampling: default_sampling() })}
          >
            {t.chat.reset}
          </button>
        </div>
        <p className="dim small">{t.chat.sampling_hint}</p>
        <div className="sampling">
          {kNumberFields.map((field) => (
            <div key={field} className={field.endsWith("_penalty") ? "whole" : ""}>
              <TextField
                label={t.chat.fields[field]!}
                value={sampling[field]}
                example={t.chat.examples[field] ?? ""}
                max_length={24}
                put={(value) => set(field, value)}
              />
              <FormError text={wrong.includes(field) ? range_of(field) : null} />
            </div>
          ))}
        </div>
        <Field label={t.chat.fields.stop!} hint={t.chat.stop_hint}>
          {(id, hint_id) => (
            <textarea
              id={id}
              aria-describedby={hint_id}
              className="input mono"
              rows={2}
              maxLength={1000}
              value={sampling.stop}
              onChange={(event) => set("stop", event.target.value)}
            />
          )}
        </Field>
        <FormError text={wrong.includes("stop") ? t.chat.too_many_stops : null} />
      </section>
      <Switch
        label={t.chat.probabilities}
        description={t.chat.probabilities_hint}
        checked={settings.probabilities}
        onChange={(event) => put({ probabilities: event.currentTarget.checked })}
      />
      <section className="stack" aria-label={t.chat.feedback}>
        <h2>{t.chat.feedback}</h2>
        {takes_feedback ? (
          <>
            <Switch
              label={t.chat.consent}
              aria-describedby={consent_id}
              checked={settings.consent}
              onChange={(event) => put({ consent: event.currentTarget.checked })}
            />
            <p id={consent_id} className={"notice small" + (settings.consent ? " accent" : "")}>
              {settings.consent ? t.chat.consent_on : t.chat.consent_off}
            </p>
          </>
        ) : (
          <p className="dim small">{t.chat.no_feedback}</p>
        )}
      </section>
    </div>
  );
});
