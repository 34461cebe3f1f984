// Adding one person or many, and changing one.
import { useState, type FormEvent } from "react";
import { import_people } from "../../api/people";
import { kRoles, type Person, type Role } from "../../api/types";
import { t } from "../../messages";
import { useSession } from "../../state/session";
import { Dialog } from "../../ui/dialog";
import { Field, FormError, TagsInput } from "../../ui/forms";

interface Filled {
  name: string;
  email?: string;
  role: Role;
  skills: string[];
  languages: string[];
}
export function PersonForm({
  title,
  person,
  optional_name,
  close,
  save,
}: {
  title: string;
  person?: Person;
  optional_name?: boolean;
  close: () => void;
  save: (p: Filled) => Promise<unknown>;
}) {
  const me = useSession();
  const [name, set_name] = useState(person?.name ?? "");
  const [email, set_email] = useState("");
  const [role, set_role] = useState<Role>(person?.role ?? "annotator");
  const [skills, set_skills] = useState(person?.skills ?? []);
  const [languages, set_languages] = useState(person?.languages ?? []);
  const [error, set_error] = useState<string | null>(null);
  const [busy, set_busy] = useState(false);
  const missing = !optional_name && !name.trim() ? t.sign_in.missing_name_of : null;
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (missing) {
      set_error(missing);
      return;
    }
    if (busy) return;
    set_busy(true);
    save({ name: name.trim(), role, skills, languages, ...(email.trim() ? { email: email.trim() } : {}) })
      .catch((x: Error) => set_error(x.message))
      .finally(() => set_busy(false));
  };
  return (
    <Dialog title={title} onClose={close}>
      <form className="stack" onSubmit={submit} noValidate>
        <Field
          label={
            <>
              {t.common.name} {optional_name && <span className="dim small">{t.common.optional}</span>}
            </>
          }
        >
          {(id) => (
            <input
              id={id}
              className="input"
              autoFocus
              value={name}
              maxLength={200}
              onChange={(e) => set_name(e.target.value)}
            />
          )}
        </Field>
        {!person && (
          <Field
            label={
              <>
                {t.sign_in.email} <span className="dim small">{t.common.optional}</span>
              </>
            }
          >
            {(id) => (
              <input
                id={id}
                className="input"
                type="email"
                value={email}
                onChange={(e) => set_email(e.target.value)}
              />
            )}
          </Field>
        )}
        <Field label={t.people.role} hint={t.people.role_text[role]}>
          {(id) => (
            <select id={id} className="input" value={role} onChange={(e) => set_role(e.target.value as Role)}>
              {kRoles
                .filter((r) => r !== "owner" || me.role === "owner")
                .map((r) => (
                  <option key={r} value={r}>
                    {t.roles[r]}
                  </option>
                ))}
            </select>
          )}
        </Field>
        <TagsInput
          label={t.people.skills}
          description={t.people.skills_hint}
          value={skills}
          onChange={set_skills}
          comboboxProps={{ withinPortal: false }}
        />
        <TagsInput
          label={t.people.languages}
          value={languages}
          onChange={set_languages}
          comboboxProps={{ withinPortal: false }}
        />
        <FormError text={error} />
        <div className="row" style={{ justifyContent: "flex-end" }}>
          <button type="submit" className="btn primary" aria-disabled={missing !== null}>
            {missing ?? t.common.save}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export function BulkForm({
  close,
  done,
}: {
  close: () => void;
  done: (r: Awaited<ReturnType<typeof import_people>>) => void;
}) {
  const [text, set_text] = useState("name,email,role,skills,languages\n");
  const [error, set_error] = useState<string | null>(null);
  const lines = text.trim().split("\n").length - (text.trimStart().startsWith("{") ? 0 : 1);
  const go = () =>
    import_people(text, !text.trimStart().startsWith("{")).then(done, (e: Error) => set_error(e.message));
  return (
    <Dialog
      title={t.people.import}
      onClose={close}
      wide
      footer={
        <button
          type="button"
          className="btn primary"
          aria-disabled={lines < 1}
          onClick={() => {
            if (lines > 0) void go();
          }}
        >
          {lines < 1 ? t.people.no_lines : t.people.add_many(lines)}
        </button>
      }
    >
      <div className="stack">
        <p className="dim">{t.people.import_text}</p>
        <textarea
          className="editor"
          style={{ minHeight: 220 }}
          aria-label={t.people.import}
          value={text}
          onChange={(e) => set_text(e.target.value)}
          spellCheck={false}
        />
        <input
          type="file"
          accept=".csv,.jsonl,.txt"
          aria-label={t.imports.choose}
          onChange={(e) => void e.target.files?.[0]?.text().then(set_text)}
        />
        <FormError text={error} />
      </div>
    </Dialog>
  );
}
