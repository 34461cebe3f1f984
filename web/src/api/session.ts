import { call, set_csrf_token } from "./client";
import type { Session } from "./types";

const keep = (session: Session): Session => {
  set_csrf_token(session.csrf_token);
  return session;
};

export const get_session = async () => keep(await call<Session>("GET", "/session"));
export const sign_in = async (email: string, password: string) =>
  keep(await call<Session>("POST", "/session", { body: { email, password } }));
export const sign_in_by_link = async (token: string) =>
  keep(await call<Session>("POST", "/session/link", { body: { token } }));
export const switch_organisation = async (organisation_id: string) =>
  keep(await call<Session>("POST", "/session/organisation", { body: { organisation_id } }));
export const set_password = (next: string, current?: string) =>
  call<void>("POST", "/session/password", { body: current ? { current, new: next } : { new: next } });
export const sign_out = () => call<void>("DELETE", "/session");
export const preview_invitation = (token: string) =>
  call<{ organisation: { name: string }; role: string; name: string | null }>(
    "POST",
    "/invitations/preview",
    { body: { token } },
  );
export const accept_invitation = async (token: string, name: string, password?: string) =>
  keep(
    await call<Session>("POST", "/invitations/accept", {
      body: password ? { token, name, password } : { token, name },
    }),
  );
