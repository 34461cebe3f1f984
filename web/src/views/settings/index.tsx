// Oneself (look, language, password), the organisation's name, keys for programs.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState, type FormEvent } from "react";
import { get_organisation, rename_organisation } from "../../api/organisation";
import { set_password, switch_organisation } from "../../api/session";
import { kLanguages, t } from "../../messages";
import { kSessionKey, useCan, useSession } from "../../state/session";
import { get_theme, set_theme, type Theme } from "../../state/theme";
import { toast, toast_error } from "../../state/toasts";
import { Field, FormError, SegmentedControl, TextField } from "../../ui/forms";
import { Loaded, Panel } from "../../ui/pieces";
import { PageHead } from "../shell/shell";
import { Keys } from "./keys";
import { Usage } from "./usage";

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
      {can("token.create") && <Usage />}
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
