// Frozen data sets that training reads, and exports of what there is now.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import {
  create_snapshot,
  export_address,
  kExportFormats,
  list_snapshots,
  snapshot_file,
} from "../../api/snapshots";
import { ago, count, percent } from "../../pure/format";
import { t } from "../../messages";
import { useCan } from "../../state/session";
import { toast, toast_error } from "../../state/toasts";
import { Field, NumberInput, TextField } from "../../ui/forms";
import { Empty, Loaded, Panel } from "../../ui/pieces";
import { Table } from "../../ui/table";
import { ProjectPage, type LoadedProject } from "../project/layout";
import { name_of } from "../project/guideline";

export default function SnapshotsPage({ id }: { id: string }) {
  return (
    <ProjectPage id={id} page={t.nav.snapshots}>
      {(p) => <Body project={p} />}
    </ProjectPage>
  );
}

function Body({ project }: { project: LoadedProject }) {
  const can = useCan();
  const query = useQuery({
    queryKey: ["snapshots", project.id],
    queryFn: () => list_snapshots(project.id),
    refetchInterval: (q) => (q.state.data?.items.some((s) => s.state === "making") ? 1000 : false),
  });
  return (
    <>
      <div className="halves">
        {can("snapshot.create") && <NewSnapshot project={project} />}
        <Export project={project} />
      </div>
      <Panel title={t.snapshots.title} pad={false} footer={t.snapshots.footer}>
        <div className={query.data ? "" : "body"}>
          <Loaded query={query}>
            {({ items }) =>
              items.length === 0 ? (
                <Empty title={t.snapshots.none} text={t.snapshots.none_text} />
              ) : (
                <Table
                  columns={[
                    t.common.name,
                    t.snapshots.format,
                    { text: t.tasks.train, num: true },
                    { text: t.tasks.heldout, num: true },
                    { text: t.project.labels, num: true },
                    t.snapshots.digest,
                    t.common.created,
                    { text: t.snapshots.files, quiet: true },
                  ]}
                >
                  {items.map((s) => (
                    <tr key={s.id}>
                      <td className="strong">{s.name}</td>
                      <td>{t.snapshots.formats[s.format] ?? s.format}</td>
                      <td className="num">{count(s.rows_train)}</td>
                      <td className="num">{count(s.rows_heldout)}</td>
                      <td className="num">{count(s.annotations)}</td>
                      <td className="mono dim" title={s.digest}>
                        {s.digest.slice(0, 12)}
                      </td>
                      <td className="dim nowrap">
                        {ago(s.created_at, Date.now())}
                        {name_of(s.created_by) && ` ${t.common.by} ${name_of(s.created_by)}`}
                      </td>
                      <td className="right nowrap">
                        {(["train.jsonl", "heldout.jsonl", "manifest.json"] as const).map((f) => (
                          <a
                            key={f}
                            className="btn quiet slim"
                            href={snapshot_file(s.id, f)}
                            download
                            aria-label={`${s.name} ${f}`}
                          >
                            {f.split(".")[0]}
                          </a>
                        ))}
                        {can("run.start") && (
                          <Link
                            href={`/projects/${project.id}/runs/new?snapshot=${s.id}`}
                            className="btn slim"
                          >
                            {t.snapshots.train}
                          </Link>
                        )}
                      </td>
                    </tr>
                  ))}
                </Table>
              )
            }
          </Loaded>
        </div>
      </Panel>
    </>
  );
}

function NewSnapshot({ project }: { project: LoadedProject }) {
  const queries = useQueryClient();
  const [name, set_name] = useState("");
  const [format, set_format] = useState("preferences");
  const [probability, set_probability] = useState(50);
  const [annotations, set_annotations] = useState(1);
  const [busy, set_busy] = useState(false);
  const missing =
    project.counts.annotations === 0 ? t.snapshots.no_labels : !name.trim() ? t.snapshots.missing_name : null;
  const go = () => {
    if (missing || busy) return;
    set_busy(true);
    create_snapshot(project.id, {
      name: name.trim(),
      format,
      min_probability: probability / 100,
      min_annotations: annotations,
    })
      .then((s) => {
        toast(t.snapshots.made(s.name), { kind: "good" });
        set_name("");
        void queries.invalidateQueries({ queryKey: ["snapshots", project.id] });
      }, toast_error)
      .finally(() => set_busy(false));
  };
  return (
    <Panel title={t.snapshots.new}>
      <form
        className="stack"
        onSubmit={(e) => {
          e.preventDefault();
          go();
        }}
      >
        <TextField
          label={t.common.name}
          value={name}
          put={set_name}
          max_length={200}
          example={t.snapshots.name_example}
        />
        <Formats value={format} put={set_format} />
        <div className="row wide top">
          <div className="grow">
            <NumberInput
              label={t.snapshots.probability}
              description={t.snapshots.probability_hint}
              min={0}
              max={100}
              suffix=" %"
              value={probability}
              onChange={(v) => set_probability(Number(v) || 0)}
            />
          </div>
          <div className="grow">
            <NumberInput
              label={t.snapshots.annotations}
              description={t.snapshots.annotations_hint}
              min={1}
              max={50}
              value={annotations}
              onChange={(v) => set_annotations(Number(v) || 1)}
            />
          </div>
        </div>
        {project.split_state === "none" && (
          <p className="dim small">
            {t.snapshots.no_split} <Link href={`/projects/${project.id}/settings`}>{t.project.splits}</Link>
          </p>
        )}
        <div>
          <button type="submit" className="btn primary" aria-disabled={missing !== null || busy}>
            {missing ?? t.snapshots.make}
          </button>
        </div>
      </form>
    </Panel>
  );
}
function Formats({ value, put, all = false }: { value: string; put: (v: string) => void; all?: boolean }) {
  return (
    <Field label={t.snapshots.format} hint={t.snapshots.format_text[value]}>
      {(id, hint) => (
        <select
          id={id}
          aria-describedby={hint}
          className="input"
          value={value}
          onChange={(e) => put(e.target.value)}
        >
          {kExportFormats
            .filter((f) => all || (f !== "label-studio" && f !== "csv"))
            .map((f) => (
              <option key={f} value={f}>
                {t.snapshots.formats[f]}
              </option>
            ))}
        </select>
      )}
    </Field>
  );
}

function Export({ project }: { project: LoadedProject }) {
  const [format, set_format] = useState("preferences");
  const [split, set_split] = useState("");
  const [probability, set_probability] = useState(0);
  return (
    <Panel title={t.snapshots.export}>
      <div className="stack">
        <p className="dim">{t.snapshots.export_text}</p>
        <Formats value={format} put={set_format} all />
        <div className="row wide top">
          {project.split_state === "frozen" && (
            <div className="grow">
              <Field label={t.project.splits}>
                {(id) => (
                  <select id={id} className="input" value={split} onChange={(e) => set_split(e.target.value)}>
                    <option value="">{t.tasks.any_split}</option>
                    <option value="train">{t.tasks.train}</option>
                    <option value="heldout">{t.tasks.heldout}</option>
                  </select>
                )}
              </Field>
            </div>
          )}
          <div className="grow">
            <NumberInput
              label={t.snapshots.probability}
              min={0}
              max={100}
              suffix=" %"
              value={probability}
              onChange={(v) => set_probability(Number(v) || 0)}
            />
          </div>
        </div>
        <div>
          <a
            className="btn"
            href={export_address(project.id, {
              format,
              split,
              ...(probability ? { min_probability: probability / 100 } : {}),
            })}
            download
          >
            {t.snapshots.download}{" "}
            {probability ? <span className="dim">≥ {percent(probability / 100)}</span> : null}
          </a>
        </div>
      </div>
    </Panel>
  );
}
