// Bringing tasks in: drop a file, look at what its columns were taken for, import with progress.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { Link } from "wouter";
import { import_file, list_imports, preview_import } from "../../api/imports";
import type { ImportPreview, ImportResult } from "../../api/types";
import { ago, bytes, count } from "../../pure/format";
import { t } from "../../messages";
import { toast_error } from "../../state/toasts";
import { Bar, Failed, Panel, Skeleton } from "../../ui/pieces";
import { ProjectPage } from "./layout";

const kColumnRoles = [
  "prompt",
  "left",
  "right",
  "response",
  "responses",
  "messages",
  "models",
  "model",
  "model_left",
  "model_right",
  "id",
  "language",
  "priority",
  "gold",
  "winner",
  "worker",
  "meta",
  "ignore",
];

type State =
  | { at: "choose" }
  | { at: "reading"; file: File }
  | { at: "look"; file: File; preview: ImportPreview }
  | { at: "sending"; file: File; share: number }
  | { at: "done"; file: File; result: ImportResult }
  | { at: "failed"; file: File; error: unknown };

export default function ImportPage({ id }: { id: string }) {
  return (
    <ProjectPage id={id} page={t.project.import}>
      {(p) => <Wizard id={id} type={p.task_type} />}
    </ProjectPage>
  );
}

function Wizard({ id, type }: { id: string; type: string }) {
  const queries = useQueryClient();
  const [state, set] = useState<State>({ at: "choose" });
  const [columns, set_columns] = useState<Record<string, string>>({});
  const take = (file: File | undefined) => {
    if (!file) return;
    set({ at: "reading", file });
    preview_import(id, file).then(
      (preview) => {
        set_columns(Object.fromEntries(preview.columns.map((c) => [c.name, c.role])));
        set({ at: "look", file, preview });
      },
      (error) => set({ at: "failed", file, error }),
    );
  };
  const send = (file: File, format: string) => {
    set({ at: "sending", file, share: 0 });
    import_file(id, file, format, columns, (share) => set({ at: "sending", file, share })).then(
      (result) => {
        set({ at: "done", file, result });
        for (const key of ["project", "imports", "tasks"])
          void queries.invalidateQueries({ queryKey: [key, id] });
        void queries.invalidateQueries({ queryKey: ["projects"] });
      },
      (error) => {
        toast_error(error);
        set({ at: "failed", file, error });
      },
    );
  };
  return (
    <>
      {state.at === "choose" && <Drop take={take} type={type} />}
      {state.at === "reading" && <Skeleton height={220} />}
      {state.at === "look" && (
        <Look
          preview={state.preview}
          file={state.file}
          columns={columns}
          set_column={(name, role) => set_columns((c) => ({ ...c, [name]: role }))}
          again={() => set({ at: "choose" })}
          go={() => send(state.file, state.preview.format)}
        />
      )}
      {state.at === "sending" && (
        <Panel title={t.imports.sending(state.file.name)}>
          <div className="stack">
            <Bar share={state.share} label={t.imports.sending(state.file.name)} />
            <span className="dim">
              {state.share < 1
                ? t.imports.sent(bytes(state.file.size * state.share), bytes(state.file.size))
                : t.imports.reading}
            </span>
          </div>
        </Panel>
      )}
      {state.at === "failed" && (
        <>
          <Failed error={state.error} />
          <div>
            <button type="button" className="btn" onClick={() => set({ at: "choose" })}>
              {t.imports.another}
            </button>
          </div>
        </>
      )}
      {state.at === "done" && <Done id={id} result={state.result} again={() => set({ at: "choose" })} />}
      <Earlier id={id} />
    </>
  );
}

function Drop({ take, type }: { take: (file: File | undefined) => void; type: string }) {
  const [over, set_over] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  return (
    <div
      className={"drop" + (over ? " over" : "")}
      onDragOver={(e) => {
        e.preventDefault();
        set_over(true);
      }}
      onDragLeave={() => set_over(false)}
      onDrop={(e) => {
        e.preventDefault();
        set_over(false);
        take(e.dataTransfer.files[0]);
      }}
    >
      <h2>{t.imports.drop}</h2>
      <p className="dim">{t.imports.formats}</p>
      <input
        ref={input}
        type="file"
        className="visually-hidden"
        tabIndex={-1}
        accept=".jsonl,.json,.csv,.ndjson"
        aria-label={t.imports.choose}
        onChange={(e) => take(e.target.files?.[0] ?? undefined)}
      />
      <button type="button" className="btn primary" onClick={() => input.current?.click()}>
        {t.imports.choose}
      </button>
      <p className="small dim">
        {t.imports.row_example(type)} <code className="mono">{t.imports.rows[type] ?? ""}</code>
      </p>
    </div>
  );
}

function Look({
  preview,
  file,
  columns,
  set_column,
  again,
  go,
}: {
  preview: ImportPreview;
  file: File;
  columns: Record<string, string>;
  set_column: (name: string, role: string) => void;
  again: () => void;
  go: () => void;
}) {
  const guessed = preview.columns.some((c) => c.guessed_from && c.role !== c.name);
  const roles = new Set(Object.values(columns));
  const missing =
    preview.columns.length === 0 ? null : !roles.has("prompt") && !roles.has("messages") ? "prompt" : null;
  return (
    <Panel
      title={
        <span className="row">
          <span className="clip">{file.name}</span>
          <span className="badge">{preview.format}</span>
          <span className="dim small nowrap">{bytes(file.size)}</span>
        </span>
      }
      tools={
        <>
          <button type="button" className="btn quiet" onClick={again}>
            {t.imports.another}
          </button>
          <button
            type="button"
            className="btn primary"
            aria-disabled={missing !== null}
            onClick={() => {
              if (!missing) go();
            }}
          >
            {missing ? t.imports.missing(missing) : t.imports.go}
          </button>
        </>
      }
      pad={false}
    >
      <div className="body stack">
        <div className={"notice " + (guessed ? "warn" : "")}>
          <span>
            {guessed ? t.imports.guessed : t.imports.clear} {preview.message}
          </span>
        </div>
        {preview.problems.length > 0 && <Problems list={preview.problems} />}
      </div>
      <div className="scroll-x" tabIndex={0} role="region" aria-label={t.imports.preview}>
        <table className="table preview-table">
          <thead>
            <tr>
              {preview.columns.map((c) => (
                <th key={c.name} scope="col">
                  <div className="stack tight">
                    <span className="mono" style={{ color: "var(--ink)" }}>
                      {c.name}
                    </span>
                    <select
                      className="native-select"
                      aria-label={t.imports.role_of(c.name)}
                      value={columns[c.name]}
                      onChange={(e) => set_column(c.name, e.target.value)}
                    >
                      {[...new Set([columns[c.name] ?? c.role, ...kColumnRoles])].map((r) => (
                        <option key={r} value={r}>
                          {t.imports.roles[r] ?? r}
                        </option>
                      ))}
                    </select>
                  </div>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {[0, 1, 2]
              .filter((row) => preview.columns.some((c) => c.samples[row] !== undefined))
              .map((row) => (
                <tr key={row}>
                  {preview.columns.map((c) => (
                    <td key={c.name}>
                      <div className={columns[c.name] === "ignore" ? "faint" : ""}>
                        {text_of(c.samples[row])}
                      </div>
                    </td>
                  ))}
                </tr>
              ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
const text_of = (value: unknown): string =>
  (value === undefined || value === null
    ? ""
    : typeof value === "string"
      ? value
      : JSON.stringify(value)
  ).slice(0, 300);

function Problems({ list }: { list: { line: number; reason: string }[] }) {
  return (
    <div className="notice bad">
      <ul style={{ margin: 0, paddingLeft: 18 }}>
        {list.slice(0, 10).map((p, at) => (
          <li key={at}>{t.imports.line(p.line, p.reason)}</li>
        ))}
        {list.length > 10 && <li>{t.imports.more_problems(list.length - 10)}</li>}
      </ul>
    </div>
  );
}

function Done({ id, result, again }: { id: string; result: ImportResult; again: () => void }) {
  const waiting = result.job_id && result.created === undefined;
  return (
    <Panel title={waiting ? t.imports.in_background : t.imports.done(result.created)}>
      <div className="stack">
        {!waiting && (
          <p className="dim">{t.imports.summary(result.rows, result.duplicates, result.errors)}</p>
        )}
        {result.first_errors?.length > 0 && <Problems list={result.first_errors} />}
        <div className="row wrap">
          <Link href={`/projects/${id}/label`} className="btn primary">
            {t.imports.label_now}
          </Link>
          <Link href={`/projects/${id}/tasks`} className="btn">
            {t.nav.tasks}
          </Link>
          <button type="button" className="btn quiet" onClick={again}>
            {t.imports.another}
          </button>
        </div>
      </div>
    </Panel>
  );
}

function Earlier({ id }: { id: string }) {
  const query = useQuery({
    queryKey: ["imports", id],
    queryFn: () => list_imports(id),
    refetchInterval: (q) =>
      q.state.data?.items.some((i) => i.state && i.state !== "done" && i.state !== "failed") ? 1000 : false,
  });
  const items = query.data?.items ?? [];
  if (!items.length) return null;
  return (
    <Panel title={t.imports.earlier} pad={false}>
      <div className="scroll-x" tabIndex={0}>
        <table className="table">
          <thead>
            <tr>
              <th>{t.common.name}</th>
              <th>{t.home.column_state}</th>
              <th className="num">{t.imports.created}</th>
              <th className="num">{t.imports.duplicates}</th>
              <th className="num">{t.imports.errors}</th>
              <th>{t.common.created}</th>
            </tr>
          </thead>
          <tbody>
            {items.map((i) => (
              <tr key={i.id ?? i.import_id}>
                <td className="clip">{i.name}</td>
                <td>
                  <span className="badge">{t.states[i.state ?? ""] ?? i.state}</span>
                </td>
                <td className="num">{count(i.created ?? 0)}</td>
                <td className="num">{count(i.duplicates ?? 0)}</td>
                <td className={"num" + (i.errors ? " bad" : "")}>{count(i.errors ?? 0)}</td>
                <td className="dim nowrap">{ago(i.created_at, Date.now())}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
