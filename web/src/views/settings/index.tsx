// Oneself (look, language, password), the organisation's name, keys for programs.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState, type FormEvent } from "react";
import { get_organisation, rename_organisation } from "../../api/organisation";
import { set_password, switch_organisation } from "../../api/session";
import { create_token, delete_token, list_tokens } from "../../api/tokens";
import { ago } from "../../pure/format";
import { kLanguages, t } from "../../messages";
import { kSessionKey, useCan, useSession } from "../../state/session";
import { get_theme, set_theme, type Theme } from "../../state/theme";
import { toast, toast_error } from "../../state/toasts";
import { CopyLine } from "../../ui/copy";
import { Dialog } from "../../ui/dialog";
import { Field, FormError, NumberInput, SegmentedControl, TextField } from "../../ui/forms";
import { Loaded, Panel } from "../../ui/pieces";
import { Table } from "../../ui/table";
import { PageHead } from "../shell/shell";

export default function SettingsPage() {
  const session = useSession();
  const can = useCan();
  useEffect(() => {
    document.title = `${t.nav.settings} · ${t.common.product}`;
  }, []);
  return (
    <div className="page medium">
      <PageHead title={t.nav.settings} text={`${session.person.name} · ${t.roles[session.role]}`} />
      <Look />
      <Password />
      {session.organisations.length > 1 && <Organisations />}
      {can("organisation.manage") && <OrganisationName />}
      {can("token.create") && <Keys />}
      <p className="dim small">
        {t.settings.version(session.version)} {t.settings.no_telemetry}
      </p>
    </div>
  );
}

function Look() {
  const [theme, put] = useState<Theme>(get_theme);
  return (
    <Panel title={t.settings.look}>
      <div className="row wide wrap top">
        <div className="field">
          <span className="label" id="theme">
            {t.settings.theme}
          </span>
          <SegmentedControl
            aria-labelledby="theme"
            value={theme}
            onChange={(v) => {
              set_theme(v as Theme);
              put(v as Theme);
            }}
            data={[
              { value: "system", label: t.settings.system },
              { value: "light", label: t.settings.light },
              { value: "dark", label: t.settings.dark },
            ]}
          />
        </div>
        <Field label={t.settings.language} hint={t.settings.language_hint}>
          {(id) => (
            <select id={id} className="input" defaultValue="en">
              {kLanguages.map((l) => (
                <option key={l.code} value={l.code}>
                  {l.name}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
    </Panel>
  );
}

function Password() {
  const session = useSession();
  const queries = useQueryClient();
  const [current, set_current] = useState("");
  const [next, set_next] = useState("");
  const [error, set_error] = useState<string | null>(null);
  const missing =
    session.has_password && !current
      ? t.settings.missing_current
      : next.length < 8
        ? t.settings.missing_new
        : null;
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (missing) {
      set_error(missing);
      return;
    }
    set_password(next, session.has_password ? current : undefined).then(
      () => {
        toast(t.settings.password_set, { kind: "good" });
        set_current("");
        set_next("");
        set_error(null);
        queries.setQueryData(kSessionKey, { ...session, has_password: true });
      },
      (x: Error) => set_error(x.message),
    );
  };
  return (
    <Panel title={session.has_password ? t.settings.change_password : t.home.set_password}>
      <form className="stack" style={{ maxWidth: 380 }} onSubmit={submit} noValidate>
        <input type="text" autoComplete="username" value={session.person.name} readOnly hidden />
        {session.has_password && (
          <TextField
            label={t.settings.current}
            type="password"
            complete="current-password"
            value={current}
            put={set_current}
          />
        )}
        <TextField
          label={t.settings.new_password}
          hint={t.settings.password_hint}
          type="password"
          complete="new-password"
          value={next}
          put={set_next}
        />
        <FormError text={error} />
        <div>
          <button type="submit" className="btn" aria-disabled={missing !== null}>
            {missing && (current || next) ? missing : t.common.save}
          </button>
        </div>
      </form>
    </Panel>
  );
}

function Organisations() {
  const session = useSession();
  const queries = useQueryClient();
  const go = (id: string) =>
    void switch_organisation(id).then((s) => {
      queries.clear();
      queries.setQueryData(kSessionKey, s);
    }, toast_error);
  return (
    <Panel title={t.settings.organisations} pad={false}>
      <table className="table">
        <tbody>
          {session.organisations.map((o) => (
            <tr key={o.id}>
              <td className="strong">{o.name}</td>
              <td className="dim">{t.roles[o.role]}</td>
              <td className="right">
                {o.id === session.organisation.id ? (
                  <span className="badge accent">{t.settings.here}</span>
                ) : (
                  <button type="button" className="btn slim" onClick={() => go(o.id)}>
                    {t.settings.switch_to}
                  </button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

function OrganisationName() {
  const session = useSession();
  const queries = useQueryClient();
  const query = useQuery({ queryKey: ["organisation"], queryFn: get_organisation });
  const [name, set_name] = useState<string | null>(null);
  const shown = name ?? query.data?.name ?? "",
    changed = query.data !== undefined && shown.trim() !== "" && shown !== query.data.name;
  const save = () =>
    rename_organisation(shown.trim()).then((o) => {
      toast(t.common.saved, { kind: "good" });
      set_name(null);
      queries.setQueryData(["organisation"], o);
      queries.setQueryData(kSessionKey, { ...session, organisation: { id: o.id, name: o.name } });
    }, toast_error);
  return (
    <Panel title={t.settings.organisation}>
      <Loaded query={query} lines={2}>
        {(o) => (
          <div className="stack">
            <Field label={t.common.name} hint={t.settings.organisation_facts(o.people, o.projects)}>
              {(id) => (
                <div className="row" style={{ maxWidth: 480 }}>
                  <input
                    id={id}
                    className="input"
                    value={shown}
                    maxLength={200}
                    onChange={(e) => set_name(e.target.value)}
                  />
                  <button
                    type="button"
                    className="btn"
                    aria-disabled={!changed}
                    onClick={() => {
                      if (changed) void save();
                    }}
                  >
                    {t.common.save}
                  </button>
                </div>
              )}
            </Field>
          </div>
        )}
      </Loaded>
    </Panel>
  );
}

function Keys() {
  const queries = useQueryClient();
  const query = useQuery({ queryKey: ["tokens"], queryFn: list_tokens });
  const [name, set_name] = useState("");
  const [days, set_days] = useState(90);
  const [secret, set_secret] = useState<string | null>(null);
  const refresh = () => void queries.invalidateQueries({ queryKey: ["tokens"] });
  const missing = name.trim() ? null : t.settings.missing_key_name;
  const make = (e: FormEvent) => {
    e.preventDefault();
    if (!missing)
      create_token({ name: name.trim(), ...(days ? { expires_in_days: days } : {}) }).then((r) => {
        set_secret(r.secret);
        set_name("");
        refresh();
      }, toast_error);
  };
  return (
    <Panel title={t.settings.keys} pad={false}>
      <div className="body stack">
        <p className="dim">{t.settings.keys_text}</p>
        <form className="row wrap" style={{ alignItems: "flex-end" }} onSubmit={make}>
          <div style={{ width: 240 }}>
            <TextField
              label={t.common.name}
              value={name}
              put={set_name}
              max_length={200}
              example={t.settings.key_example}
            />
          </div>
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
        </form>
      </div>
      {query.data && query.data.items.length > 0 && (
        <Table
          columns={[
            t.common.name,
            t.common.created,
            t.settings.last_used,
            t.settings.expires,
            { text: t.common.remove, quiet: true },
          ]}
        >
          {query.data.items.map((k) => (
            <tr key={k.id}>
              <td className="strong">{k.name}</td>
              <td className="dim">{ago(k.created_at, Date.now())}</td>
              <td className="dim">{ago(k.last_used_at, Date.now())}</td>
              <td className="dim">{k.expires_at ? k.expires_at.slice(0, 10) : t.settings.never}</td>
              <td className="right">
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
    </Panel>
  );
}
