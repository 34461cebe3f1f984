import { call, type Page } from "./client";
import type { Invitation, Person, Role } from "./types";

export interface NewPerson {
  name: string;
  email?: string;
  role: Role;
  skills?: string[];
  languages?: string[];
}
export interface WithLink {
  person: Person;
  sign_in_link: string;
}

export const list_people = (q: string, after?: string | null) =>
  call<Page<Person>>("GET", "/people", { query: { q, after, limit: 100 } });
export const add_person = (person: NewPerson) => call<WithLink>("POST", "/people", { body: person });
export const import_people = (text: string, csv: boolean) =>
  call<{ created: number; errors: { line: number; reason: string }[]; people: WithLink[] }>(
    "POST",
    "/people/import",
    { raw: text, content_type: csv ? "text/csv" : "application/x-ndjson" },
  );
export const change_person = (
  id: string,
  change: Partial<Pick<Person, "name" | "role" | "skills" | "languages" | "paused">>,
) => call<Person>("PATCH", `/people/${id}`, { body: change });
export const remove_person = (id: string) => call<void>("DELETE", `/people/${id}`);
export const new_sign_in_link = (id: string) =>
  call<{ sign_in_link: string }>("POST", `/people/${id}/link`, { body: {} });

export const list_invitations = () =>
  call<Page<Invitation>>("GET", "/invitations", { query: { limit: 100 } });
export const invite = (invitation: {
  role: Role;
  name?: string;
  email?: string;
  skills?: string[];
  languages?: string[];
}) => call<{ invitation: Invitation; link: string }>("POST", "/invitations", { body: invitation });
export const revoke_invitation = (id: string) => call<void>("DELETE", `/invitations/${id}`);
