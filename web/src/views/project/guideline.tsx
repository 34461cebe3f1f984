// The guideline: words and preview side by side, each save a version that annotations are stamped with.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get_guideline, save_guideline } from "../../api/projects";
import type { Guideline, Named } from "../../api/types";
import { ago } from "../../pure/format";
import { t } from "../../messages";
import { useCan } from "../../state/session";
import { toast, toast_error } from "../../state/toasts";
import { Markdown } from "../../ui/markdown";
import { Loaded, Panel } from "../../ui/pieces";
import { ProjectPage } from "./layout";

export const name_of = (who: Named | string | null): string =>
  who === null ? "" : typeof who !== "string" ? who.name : /^(usr|key)_/.test(who) ? "" : who;

export default function GuidelinePage({ id }: { id: string }) {
  const [version, set_version] = useState<number | undefined>(undefined);
  const query = useQuery({
    queryKey: ["guideline", id, version ?? "latest"],
    queryFn: () => get_guideline(id, version),
  });
  return (
    <ProjectPage id={id} page={t.project.guideline}>
      {() => (
        <Loaded query={query}>
          {(g) => <Editor key={g.version} id={id} guideline={g} set_version={set_version} />}
        </Loaded>
      )}
    </ProjectPage>
  );
}

function Editor({
  id,
  guideline,
  set_version,
}: {
  id: string;
  guideline: Guideline;
  set_version: (v: number | undefined) => void;
}) {
  const can = useCan();
  const queries = useQueryClient();
  const [body, set_body] = useState(guideline.body);
  const latest = guideline.versions.reduce((n, v) => Math.max(n, v.version), guideline.version);
  const changed = body !== guideline.body,
    write = can("project.manage");
  const save = () =>
    save_guideline(id, body).then((g) => {
      toast(t.project.guideline_saved(g.version), { kind: "good" });
      set_version(undefined);
      void queries.invalidateQueries({ queryKey: ["guideline", id] });
      void queries.invalidateQueries({ queryKey: ["project", id] });
    }, toast_error);
  return (
    <>
      <div className="row between wrap">
        <label className="row small dim">
          {t.project.version}
          <select
            className="native-select"
            style={{ width: "auto" }}
            value={guideline.version}
            onChange={(event) =>
              set_version(Number(event.target.value) === latest ? undefined : Number(event.target.value))
            }
          >
            {(guideline.versions.length ? guideline.versions : [guideline]).map((v) => (
              <option key={v.version} value={v.version}>
                {v.version} · {ago(v.created_at, Date.now())} {name_of(v.created_by) && t.common.by}{" "}
                {name_of(v.created_by)}
              </option>
            ))}
          </select>
        </label>
        {write && (
          <button
            type="button"
            className="btn primary"
            aria-disabled={!changed}
            onClick={() => {
              if (changed) void save();
            }}
          >
            {changed ? t.project.save_version(latest + 1) : t.project.nothing_changed}
          </button>
        )}
      </div>
      <div className={write ? "halves" : ""}>
        {write && (
          <div className="field">
            <label htmlFor="guideline-text">{t.project.guideline_text}</label>
            <textarea
              id="guideline-text"
              className="editor"
              value={body}
              onChange={(event) => set_body(event.target.value)}
              spellCheck
              rows={24}
            />
          </div>
        )}
        <Panel title={t.project.preview}>
          {body.trim() ? <Markdown text={body} /> : <p className="dim">{t.project.no_guideline}</p>}
        </Panel>
      </div>
    </>
  );
}
