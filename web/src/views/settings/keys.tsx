// Keys for programs: what each may, what it may ask of models and how much.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { create_token, delete_token, limit_token, list_tokens } from "../../api/tokens";
import type { Token, TokenLimits } from "../../api/types";
import { t } from "../../messages";
import { ago } from "../../pure/format";
import { useCan } from "../../state/session";
import { toast, toast_error } from "../../state/toasts";
import { CopyLine } from "../../ui/copy";
import { Dialog, DialogActions } from "../../ui/dialog";
import { Field, FormError, NumberInput, TagsInput, TextField } from "../../ui/forms";
import { Panel } from "../../ui/pieces";
import { Table } from "../../ui/table";

const kScopes = ["all", "infer", "read", "label", "import", "export", "train", "serve"];
const kNoLimits: TokenLimits = {
  models: [],
  requests_per_day: null,
  tokens_per_day: null,
  weight: 1,
  priority: 0,
};
const scopes_of = (token: Token): string[] =>
  Array.isArray(token.scope) ? token.scope : (token.scope ?? "").split(" ").filter(Boolean);

/** In words; nothing for a key without bounds. */
export function limit_words(limits: TokenLimits): string {
  const words: string[] = [];
  if (limits.models.length) words.push(limits.models.join(" "));
  if (limits.requests_per_day !== null)
    words.push(t.settings.a_day(limits.requests_per_day, t.settings.requests_word));
  if (limits.tokens_per_day !== null)
    words.push(t.settings.a_day(limits.tokens_per_day, t.settings.tokens_word));
  if (limits.weight !== 1) words.push(`${t.settings.weight} ${limits.weight}`);
  if (limits.priority !== 0) words.push(`${t.settings.priority} ${limits.priority}`);
  return t.settings.limit_words(words);
}

export function Keys() {
  const queries = useQueryClient();
  const can = useCan();
  const query = useQuery({ queryKey: ["tokens"], queryFn: list_tokens });
  const [name, set_name] = useState("");
  const [days, set_days] = useState(90);
  const [scope, set_scope] = useState("all");
  const [limits, set_limits] = useState(kNoLimits);
  const [secret, set_secret] = useState<string | null>(null);
  const [changing, set_changing] = useState<Token | null>(null);
  const refresh = () => void queries.invalidateQueries({ queryKey: ["tokens"] });
  const missing = name.trim() ? null : t.settings.missing_key_name;
  const asks_models = scope === "all" || scope === "infer";
  const make = (e: FormEvent) => {
    e.preventDefault();
    if (missing) return;
    create_token({
      name: name.trim(),
      scope: [scope],
      ...(days ? { expires_in_days: days } : {}),
      ...(asks_models ? limits : {}),
    }).then((r) => {
      set_secret(r.secret);
      set_name("");
      set_limits(kNoLimits);
      refresh();
    }, toast_error);
  };
  return (
    <Panel title={t.settings.keys} pad={false}>
      <div className="body stack">
        <p className="dim">{t.settings.keys_text}</p>
        <form className="stack" onSubmit={make}>
          <div className="row wrap" style={{ alignItems: "flex-end" }}>
            <div style={{ width: 240 }}>
              <TextField
                label={t.common.name}
                value={name}
                put={set_name}
                max_length={200}
                example={t.settings.key_example}
              />
            </div>
            <Field label={t.settings.key_for}>
              {(id) => (
                <select id={id} className="input" value={scope} onChange={(e) => set_scope(e.target.value)}>
                  {kScopes.map((s) => (
                    <option key={s} value={s}>
                      {t.settings.scopes[s]}
                    </option>
                  ))}
                </select>
              )}
            </Field>
            <div style={{ width: 150 }}>
              <NumberInput
                label={t.settings.expires}
                suffix={t.settings.days}
                min={1}
                max={3650}
                value={days}
                onChange={(v) => set_days(Number(v) || 90)}
              />
            </div>
            <button type="submit" className="btn" aria-disabled={missing !== null}>
              {missing ?? t.settings.make_key}
            </button>
          </div>
          {asks_models && (
            <details>
              <summary className="dim">{t.settings.limits}</summary>
              <div style={{ paddingTop: 12 }}>
                <LimitFields limits={limits} put={set_limits} may_raise={can("token.manage")} />
              </div>
            </details>
          )}
        </form>
      </div>
      {query.data && query.data.items.length > 0 && (
        <Table
          columns={[
            t.common.name,
            t.settings.key_for,
            t.settings.last_used,
            t.settings.expires,
            { text: t.common.remove, quiet: true },
          ]}
        >
          {query.data.items.map((k) => (
            <tr key={k.id}>
              <td>
                <span className="strong">{k.name}</span>{" "}
                <span className="dim small nowrap">{ago(k.created_at, Date.now())}</span>
              </td>
              <td>
                {scopes_of(k)
                  .map((s) => t.settings.scopes[s] ?? s)
                  .join(", ")}
                <div className="dim small">{limit_words({ ...kNoLimits, ...k })}</div>
              </td>
              <td className="dim">{ago(k.last_used_at, Date.now())}</td>
              <td className="dim nowrap">{k.expires_at ? k.expires_at.slice(0, 10) : t.settings.never}</td>
              <td className="right nowrap">
                {can("token.manage") && (
                  <button
                    type="button"
                    className="btn quiet slim"
                    aria-label={t.settings.limits_of(k.name)}
                    onClick={() => set_changing(k)}
                  >
                    {t.settings.change_limits}
                  </button>
                )}
                <button
                  type="button"
                  className="btn quiet slim danger"
                  aria-label={`${t.common.remove} ${k.name}`}
                  onClick={() => void delete_token(k.id).then(refresh, toast_error)}
                >
                  {t.common.remove}
                </button>
              </td>
            </tr>
          ))}
        </Table>
      )}
      {secret && (
        <Dialog title={t.settings.key_title} onClose={() => set_secret(null)}>
          <div className="stack">
            <p>{t.common.once}</p>
            <CopyLine text={secret} label={t.settings.key_title} />
          </div>
        </Dialog>
      )}
      {changing && <LimitsDialog token={changing} close={() => set_changing(null)} saved={refresh} />}
    </Panel>
  );
}

function LimitFields({
  limits,
  put,
  may_raise,
}: {
  limits: TokenLimits;
  put: (limits: TokenLimits) => void;
  may_raise: boolean;
}) {
  const quota = (name: "requests_per_day" | "tokens_per_day") => (
    <NumberInput
      label={t.settings[name]}
      placeholder={t.settings.no_bound}
      min={0}
      max={1e12}
      allowDecimal={false}
      thousandSeparator=","
      value={limits[name] ?? ""}
      onChange={(v) => put({ ...limits, [name]: v === "" ? null : Number(v) })}
    />
  );
  return (
    <div className="stack">
      <TagsInput
        label={t.settings.models}
        description={t.settings.models_hint}
        maxTags={100}
        value={limits.models}
        onChange={(models) => put({ ...limits, models })}
        comboboxProps={{ withinPortal: false }}
      />
      <div className="row wrap top">
        {quota("requests_per_day")}
        {quota("tokens_per_day")}
      </div>
      <span className="dim small">{t.settings.day_hint}</span>
      {may_raise && (
        <div className="row wrap top">
          <NumberInput
            label={t.settings.weight}
            description={t.settings.weight_hint}
            min={0.01}
            max={100}
            step={0.5}
            value={limits.weight}
            onChange={(v) => put({ ...limits, weight: Number(v) || 1 })}
          />
          <NumberInput
            label={t.settings.priority}
            description={t.settings.priority_hint}
            min={-10}
            max={10}
            allowDecimal={false}
            value={limits.priority}
            onChange={(v) => put({ ...limits, priority: Number(v) || 0 })}
          />
        </div>
      )}
    </div>
  );
}

function LimitsDialog({ token, close, saved }: { token: Token; close: () => void; saved: () => void }) {
  const [limits, set_limits] = useState<TokenLimits>({
    models: token.models ?? [],
    requests_per_day: token.requests_per_day ?? null,
    tokens_per_day: token.tokens_per_day ?? null,
    weight: token.weight ?? 1,
    priority: token.priority ?? 0,
  });
  const [error, set_error] = useState<string | null>(null);
  const submit = (e: FormEvent) => {
    e.preventDefault();
    limit_token(token.id, limits).then(
      () => {
        toast(t.settings.limits_saved, { kind: "good" });
        saved();
        close();
      },
      (x: Error) => set_error(x.message),
    );
  };
  return (
    <Dialog
      title={t.settings.limits_of(token.name)}
      onClose={close}
      footer={<DialogActions go={t.common.save} form="limits" cancel={close} />}
    >
      <form id="limits" className="stack" onSubmit={submit} noValidate>
        <LimitFields limits={limits} put={set_limits} may_raise />
        <FormError text={error} />
      </form>
    </Dialog>
  );
}
