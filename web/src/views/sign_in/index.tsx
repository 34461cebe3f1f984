// Coming in: by link, by password, by invitation. The token stands behind the #, so that it is in no
// request and no log; it is taken out of the address at once.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState, type FormEvent, type ReactNode } from "react";
import { useLocation } from "wouter";
import { accept_invitation, preview_invitation, sign_in, sign_in_by_link } from "../../api/session";
import type { Session } from "../../api/types";
import { t } from "../../messages";
import { kSessionKey } from "../../state/session";
import { FormError, TextField } from "../../ui/field";
import { Skeleton } from "../../ui/pieces";
import { Mark } from "../shell/shell";
import "./sign_in.css";

const token_of_address = (): string | null => new URLSearchParams(window.location.hash.slice(1)).get("token");

function useEnter(): (session: Session) => void {
  const queries = useQueryClient();
  const [, go] = useLocation();
  return (session) => {
    queries.clear();
    queries.setQueryData(kSessionKey, session);
    const here = window.location.pathname;
    go(here.startsWith("/sign-in") || here.startsWith("/invitation") ? "/" : here, { replace: true });
  };
}

function Frame({ title, children }: { title: string; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · ${t.common.product}`;
  }, [title]);
  return (
    <main className="sign-in" id="content">
      <div className="card">
        <div className="row">
          <Mark />
          <span className="strong">{t.common.product}</span>
        </div>
        <h1>{title}</h1>
        {children}
      </div>
      <p className="dim small">{t.sign_in.what}</p>
    </main>
  );
}

export default function SignIn() {
  const [token] = useState(token_of_address);
  const enter = useEnter();
  const [failed, set_failed] = useState<string | null>(null);
  const tried = useRef(false);
  useEffect(() => {
    if (!token || tried.current) return;
    tried.current = true;
    window.history.replaceState(null, "", window.location.pathname);
    sign_in_by_link(token).then(enter, (error: Error) => set_failed(error.message));
  });
  if (token && !failed)
    return (
      <Frame title={t.sign_in.opening}>
        <Skeleton height={36} />
      </Frame>
    );
  return (
    <Frame title={failed ? t.sign_in.link_failed : t.sign_in.title}>
      {failed && (
        <div className="notice warn" role="alert">
          <span>
            {failed} {t.sign_in.link_help}
          </span>
        </div>
      )}
      <Password enter={enter} />
      <div className="stack tight small dim">
        <p>{t.sign_in.no_account}</p>
        <p>{t.sign_in.operator}</p>
      </div>
    </Frame>
  );
}

function Password({ enter }: { enter: (session: Session) => void }) {
  const [email, set_email] = useState("");
  const [password, set_password] = useState("");
  const [error, set_error] = useState<string | null>(null);
  const [busy, set_busy] = useState(false);
  const missing = !email.trim() ? t.sign_in.missing_email : !password ? t.sign_in.missing_password : null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (missing) {
      set_error(missing);
      return;
    }
    set_busy(true);
    set_error(null);
    sign_in(email.trim(), password).then(enter, (e: Error) => {
      set_busy(false);
      set_error(e.message);
    });
  };
  return (
    <form className="stack" onSubmit={submit} noValidate>
      <TextField label={t.sign_in.email} type="email" complete="username" value={email} put={set_email} />
      <TextField
        label={t.sign_in.password}
        type="password"
        complete="current-password"
        value={password}
        put={set_password}
      />
      <FormError text={error} />
      <button type="submit" className="btn primary" aria-disabled={busy}>
        {missing && (email || password) ? missing : t.sign_in.submit}
      </button>
    </form>
  );
}

export function Invitation() {
  const [token] = useState(token_of_address);
  const enter = useEnter();
  const preview = useQuery({
    queryKey: ["invitation", token],
    queryFn: () => preview_invitation(token ?? ""),
    retry: false,
    staleTime: Infinity,
  });
  const [name, set_name] = useState<string | null>(null);
  const [password, set_password] = useState("");
  const [error, set_error] = useState<string | null>(null);
  useEffect(() => {
    window.history.replaceState(null, "", window.location.pathname);
  }, []);
  if (preview.error)
    return (
      <Frame title={t.sign_in.invitation_failed}>
        <p className="dim">{t.sign_in.invitation_help}</p>
      </Frame>
    );
  if (!preview.data)
    return (
      <Frame title={t.common.loading}>
        <Skeleton height={36} />
      </Frame>
    );
  const shown = name ?? preview.data.name ?? "";
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!shown.trim()) {
      set_error(t.sign_in.missing_name);
      return;
    }
    accept_invitation(token ?? "", shown.trim(), password || undefined).then(enter, (e: Error) =>
      set_error(e.message),
    );
  };
  return (
    <Frame title={t.sign_in.invitation_title(preview.data.organisation.name)}>
      <p className="dim">{t.sign_in.invitation_role(t.roles[preview.data.role] ?? preview.data.role)}</p>
      <form className="stack" onSubmit={submit} noValidate>
        <TextField label={t.sign_in.your_name} complete="name" value={shown} put={set_name} />
        <TextField
          label={
            <>
              {t.sign_in.choose_password} <span className="dim small">{t.common.optional}</span>
            </>
          }
          hint={t.sign_in.password_hint}
          type="password"
          complete="new-password"
          value={password}
          put={set_password}
        />
        <FormError text={error} />
        <button type="submit" className="btn primary">
          {shown.trim() ? t.sign_in.accept : t.sign_in.missing_name}
        </button>
      </form>
    </Frame>
  );
}
