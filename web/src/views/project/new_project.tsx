// A new project: a name, what people do, how many do the same task. Everything else has a default.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useLocation } from "wouter";
import { create_project } from "../../api/projects";
import { kTaskTypes, type TaskType } from "../../api/types";
import { t } from "../../messages";
import { toast_error } from "../../state/toasts";
import { Field, NumberInput } from "../../ui/forms";
import { PageHead } from "../shell/shell";
import "./project.css";

export default function NewProject() {
  const [, go] = useLocation();
  const queries = useQueryClient();
  const [name, set_name] = useState("");
  const [type, set_type] = useState<TaskType>("pairwise");
  const [overlap, set_overlap] = useState(1);
  const [description, set_description] = useState("");
  const [busy, set_busy] = useState(false);
  useEffect(() => {
    document.title = `${t.nav.new_project} · ${t.common.product}`;
  }, []);
  const missing = name.trim() ? null : t.project.missing_name;
  const submit = () => {
    if (missing || busy) {
      document.getElementById("project-name")?.focus();
      return;
    }
    set_busy(true);
    create_project({
      name: name.trim(),
      task_type: type,
      overlap,
      ...(description.trim() ? { description: description.trim() } : {}),
    }).then(
      (p) => {
        void queries.invalidateQueries({ queryKey: ["projects"] });
        go(`/projects/${p.id}/import`);
      },
      (e) => {
        set_busy(false);
        toast_error(e);
      },
    );
  };
  return (
    <div className="page medium">
      <PageHead title={t.nav.new_project} text={t.project.new_text} />
      <form
        className="stack loose"
        onSubmit={(e) => {
          e.preventDefault();
          submit();
        }}
      >
        <div className="field">
          <label htmlFor="project-name">{t.common.name}</label>
          <input
            id="project-name"
            className="input"
            autoFocus
            maxLength={200}
            value={name}
            onChange={(e) => set_name(e.target.value)}
            placeholder={t.project.name_example}
          />
        </div>
        <div className="field">
          <span className="label" id="type-label">
            {t.project.what_people_do}
          </span>
          <div className="type-cards" role="radiogroup" aria-labelledby="type-label">
            {kTaskTypes.map((one) => (
              <button
                key={one}
                type="button"
                role="radio"
                aria-checked={type === one}
                className="type-card"
                onClick={() => set_type(one)}
              >
                <b>{t.task_types[one]}</b>
                <span>{t.task_type_text[one]}</span>
              </button>
            ))}
          </div>
        </div>
        <div style={{ maxWidth: 320 }}>
          <NumberInput
            label={t.project.overlap_question}
            description={t.project.overlap_hint}
            min={1}
            max={50}
            value={overlap}
            onChange={(v) => set_overlap(Number(v) || 1)}
          />
        </div>
        <Field
          label={
            <>
              {t.project.description} <span className="dim small">{t.common.optional}</span>
            </>
          }
        >
          {(id) => (
            <input
              id={id}
              className="input"
              value={description}
              maxLength={2000}
              onChange={(e) => set_description(e.target.value)}
            />
          )}
        </Field>
        <div className="row">
          <button type="submit" className="btn primary" aria-disabled={missing !== null}>
            {missing ?? t.project.create}
          </button>
        </div>
      </form>
    </div>
  );
}
