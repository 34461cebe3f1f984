// What a task asks: the common choices as a form, everything as JSON; the server checks both.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "../../api/client";
import { get_schema, save_schema, validate_schema } from "../../api/projects";
import type { Question, Schema } from "../../pure/answer";
import { t } from "../../messages";
import { toast } from "../../state/toasts";
import { Field, SegmentedControl, Switch, TagsInput } from "../../ui/forms";
import { Loaded, Panel } from "../../ui/pieces";
import { ProjectPage } from "./layout";

export default function SchemaPage({ id }: { id: string }) {
  const query = useQuery({ queryKey: ["schema", id, "latest"], queryFn: () => get_schema(id) });
  return (
    <ProjectPage id={id} page={t.project.schema}>
      {() => (
        <Loaded query={query}>
          {(s) => <Editor key={s.version} id={id} version={s.version} schema={s.schema} />}
        </Loaded>
      )}
    </ProjectPage>
  );
}

function Editor({ id, version, schema }: { id: string; version: number; schema: Schema }) {
  const queries = useQueryClient();
  const [text, set_text] = useState(() => JSON.stringify(schema, null, 2));
  const [as, set_as] = useState("form");
  const [error, set_error] = useState<string | null>(null);
  let parsed: Schema | null = null;
  let parse_error: string | null = null;
  try {
    parsed = JSON.parse(text) as Schema;
  } catch (e) {
    parse_error = (e as Error).message;
  }
  const changed = parsed === null || JSON.stringify(parsed) !== JSON.stringify(schema);
  const put = (next: Schema) => {
    set_text(JSON.stringify(next, null, 2));
    set_error(null);
  };
  const save = async () => {
    if (!parsed) return;
    try {
      await validate_schema(parsed);
      const saved = await save_schema(id, parsed);
      toast(t.project.schema_saved(saved.version), { kind: "good" });
      void queries.invalidateQueries({ queryKey: ["schema", id] });
    } catch (e) {
      set_error(e instanceof ApiError && e.field ? `${e.field}: ${e.message}` : (e as Error).message);
    }
  };
  const can_save = changed && parsed !== null;
  return (
    <>
      <div className="row between wrap">
        <div className="row">
          <SegmentedControl
            value={as}
            onChange={set_as}
            data={[
              { value: "form", label: t.project.as_form },
              { value: "json", label: t.project.as_json },
            ]}
            aria-label={t.project.schema}
          />
          <span className="badge">{t.label.guideline_version(version)}</span>
        </div>
        <button
          type="button"
          className="btn primary"
          aria-disabled={!can_save}
          onClick={() => {
            if (can_save) void save();
          }}
        >
          {parse_error
            ? t.project.json_broken
            : changed
              ? t.project.save_version(version + 1)
              : t.project.nothing_changed}
        </button>
      </div>
      {error && (
        <div className="notice bad" role="alert">
          {error}
        </div>
      )}
      {as === "json" || !parsed ? (
        <div className="field">
          <label htmlFor="schema-json">{t.project.schema_json}</label>
          <textarea
            id="schema-json"
            className="editor"
            spellCheck={false}
            rows={26}
            value={text}
            onChange={(e) => {
              set_text(e.target.value);
              set_error(null);
            }}
            aria-describedby="schema-problem"
          />
          <span id="schema-problem" className={parse_error ? "bad small" : "hint"}>
            {parse_error ?? t.project.schema_hint}
          </span>
        </div>
      ) : (
        <Form schema={parsed} put={put} />
      )}
    </>
  );
}

function Form({ schema, put }: { schema: Schema; put: (schema: Schema) => void }) {
  const change = (at: number, next: Partial<Question>) =>
    put({ ...schema, questions: schema.questions.map((q, i) => (i === at ? { ...q, ...next } : q)) });
  return (
    <div className="stack loose">
      {schema.questions.map((q, at) => (
        <Panel
          key={q.name}
          title={
            <span className="row">
              {q.name} <span className="badge">{t.project.kinds[q.kind] ?? q.kind}</span>
            </span>
          }
        >
          <div className="stack">
            <Field label={t.project.question}>
              {(id) => (
                <input
                  id={id}
                  className="input"
                  value={q.title}
                  maxLength={300}
                  onChange={(e) => change(at, { title: e.target.value })}
                />
              )}
            </Field>
            <div className="row wrap wide">
              <Switch
                label={t.project.is_required}
                checked={q.required !== false}
                onChange={(e) => change(at, { required: e.currentTarget.checked })}
              />
              {q.kind === "comparison" && (
                <>
                  <Switch
                    label={t.project.allow_tie}
                    checked={q.tie !== false}
                    onChange={(e) => change(at, { tie: e.currentTarget.checked })}
                  />
                  <Switch
                    label={t.project.allow_bad}
                    checked={q.both_bad !== false}
                    onChange={(e) => change(at, { both_bad: e.currentTarget.checked })}
                  />
                  <Switch
                    label={t.project.ask_strength}
                    checked={Boolean(q.strength)}
                    onChange={(e) =>
                      change(at, {
                        strength: e.currentTarget.checked
                          ? {
                              title: t.project.strength_title,
                              labels: t.project.strength_labels,
                              required: false,
                            }
                          : null,
                      })
                    }
                  />
                </>
              )}
              {q.kind === "ranking" && (
                <Switch
                  label={t.project.allow_ties}
                  checked={q.ties !== false}
                  onChange={(e) => change(at, { ties: e.currentTarget.checked })}
                />
              )}
            </div>
            {q.options && (
              <TagsInput
                label={t.project.options}
                description={t.project.options_hint}
                value={q.options.map((o) => o.title)}
                onChange={(titles) =>
                  change(at, {
                    options: titles.map(
                      (title) => q.options!.find((o) => o.title === title) ?? { name: slug(title), title },
                    ),
                  })
                }
              />
            )}
            {q.items && (
              <TagsInput
                label={t.project.items}
                description={t.project.options_hint}
                value={q.items.map((o) => o.title)}
                onChange={(titles) =>
                  change(at, {
                    items: titles.map(
                      (title) => q.items!.find((o) => o.title === title) ?? { name: slug(title), title },
                    ),
                  })
                }
              />
            )}
          </div>
        </Panel>
      ))}
      <Panel title={t.project.around}>
        <div className="stack">
          <div className="field">
            <span className="label" id="rationale-label">
              {t.project.rationale}
            </span>
            <div>
              <SegmentedControl
                aria-labelledby="rationale-label"
                value={schema.rationale ?? "optional"}
                onChange={(v) => put({ ...schema, rationale: v as "off" | "optional" | "required" })}
                data={[
                  { value: "off", label: t.project.rationale_off },
                  { value: "optional", label: t.project.rationale_optional },
                  { value: "required", label: t.project.rationale_required },
                ]}
              />
            </div>
          </div>
          <TagsInput
            label={t.project.skip_reasons}
            description={t.project.options_hint}
            value={schema.skip_reasons ?? []}
            onChange={(v) => put({ ...schema, skip_reasons: v })}
          />
        </div>
      </Panel>
    </div>
  );
}
const slug = (title: string): string =>
  title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^[^a-z]+|_+$/g, "")
    .slice(0, 40) || "option";
