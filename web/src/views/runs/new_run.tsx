// Before a run: choices on the left, what will happen on the right, and a button that says what is missing.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { list_bases, plan_run, start_run, type RunWish } from "../../api/runs";
import { create_snapshot, list_snapshots } from "../../api/snapshots";
import { bytes, compact, count, duration } from "../../pure/format";
import { t } from "../../messages";
import { toast_error } from "../../state/toasts";
import { Field, NumberInput, SegmentedControl, TextInput } from "../../ui/forms";
import { Failed, Panel, Waiting } from "../../ui/pieces";
import { ProjectPage, type LoadedProject } from "../project/layout";
import "./runs.css";

export default function NewRunPage({ id }: { id: string }) {
  return (
    <ProjectPage id={id} page={t.runs.new}>
      {(p) => <NewRun project={p} />}
    </ProjectPage>
  );
}

// Said in full to the server, so that what the form shows is what runs. Names are those of hone train,
// numbers those of the quickstart (cli/preference_loop.cc, recommended_settings).
const kDefaults: Record<string, Record<string, number>> = {
  dpo: { learning_rate: 2e-4, num_train_epochs: 2, beta: 0.1, lora_r: 16 },
  sft: { learning_rate: 2e-4, num_train_epochs: 2, lora_r: 16 },
};

function NewRun({ project }: { project: LoadedProject }) {
  const [, go] = useLocation();
  const queries = useQueryClient();
  const snapshots = useQuery({
    queryKey: ["snapshots", project.id],
    queryFn: () => list_snapshots(project.id),
    refetchInterval: (q) => (q.state.data?.items.some((s) => s.state === "making") ? 700 : false),
  });
  const models = useQuery({ queryKey: ["bases"], queryFn: list_bases });
  const [method, set_method] = useState<"dpo" | "sft">(project.task_type === "text" ? "sft" : "dpo");
  const [snapshot, set_snapshot] = useState(
    () => new URLSearchParams(window.location.search).get("snapshot") ?? "",
  );
  const [model, set_model] = useState("");
  const [name, set_name] = useState("");
  const [changed, set_changed] = useState<Record<string, number>>({});
  const [busy, set_busy] = useState(false);
  const list = (models.data?.items ?? []).filter((m) => m.fits !== "too_big");
  const chosen = model || list[0]?.name || "";
  const format = method === "sft" ? "sft" : "preferences";
  const usable = (snapshots.data?.items ?? []).filter((s) => s.format === format && s.state !== "failed");
  const frozen = usable.some((s) => s.id === snapshot && s.state === "ready");
  const wish: RunWish = {
    method,
    settings: { ...kDefaults[method], ...changed },
    ...(snapshot ? { snapshot_id: snapshot } : {}),
    ...(chosen ? { model: chosen } : {}),
  };
  const plan = useQuery({
    queryKey: ["plan", project.id, wish],
    queryFn: () => plan_run(project.id, wish),
    retry: false,
    placeholderData: (old) => old,
    enabled: models.data !== undefined && frozen,
  });
  const p = frozen ? plan.data : undefined;
  const missing =
    models.data && list.length === 0
      ? t.runs.no_model
      : plan.error && frozen
        ? t.runs.not_ready
        : p && !p.ready
          ? t.runs.missing(p.missing[0] ?? "", p.missing.length - 1)
          : p
            ? null
            : snapshot
              ? t.runs.planning
              : project.counts.annotations === 0
                ? t.runs.no_labels
                : null;
  const start = () => {
    if (missing || busy) return;
    set_busy(true);
    start_run(project.id, { ...wish, ...(name.trim() ? { name: name.trim() } : {}) }).then(
      (r) => {
        void queries.invalidateQueries({ queryKey: ["runs", project.id] });
        go(`/projects/${project.id}/runs/${r.id}`);
      },
      (e) => {
        set_busy(false);
        toast_error(e);
      },
    );
  };
  const freeze = () => {
    if (busy || project.counts.annotations === 0) return;
    set_busy(true);
    create_snapshot(project.id, {
      name: t.runs.snapshot_name(new Date().toISOString().slice(0, 16).replace("T", " ")),
      format,
    })
      .then((s) => {
        set_snapshot(s.id);
        void queries.invalidateQueries({ queryKey: ["snapshots", project.id] });
      }, toast_error)
      .finally(() => set_busy(false));
  };
  const number = (key: string, label: string, hint: string, more: object = {}) => {
    const standard = kDefaults[method]![key]!;
    return (
      <NumberInput
        label={label}
        description={hint}
        value={changed[key] ?? standard}
        onChange={(v) =>
          set_changed((c) => {
            const { [key]: _, ...rest } = c;
            return Number(v) === standard || v === "" ? rest : { ...rest, [key]: Number(v) };
          })
        }
        {...more}
      />
    );
  };
  return (
    <div className="columns">
      <Panel title={t.runs.choices}>
        <div className="stack loose">
          <div className="field">
            <span className="label" id="method">
              {t.runs.method}
            </span>
            <div>
              <SegmentedControl
                aria-labelledby="method"
                value={method}
                onChange={(v) => {
                  set_method(v as "dpo" | "sft");
                  set_changed({});
                  set_snapshot("");
                }}
                data={(["dpo", "sft"] as const).map((m) => ({ value: m, label: t.runs.methods[m]! }))}
              />
            </div>
            <span className="hint">{t.runs.method_text[method]}</span>
          </div>
          <Field label={t.runs.data} hint={snapshot ? t.runs.data_reuse : t.runs.data_new}>
            {(id, hint) => (
              <select
                id={id}
                aria-describedby={hint}
                className="input"
                value={snapshot}
                onChange={(e) => set_snapshot(e.target.value)}
              >
                <option value="">{t.runs.fresh_snapshot}</option>
                {usable.map((s) => (
                  <option key={s.id} value={s.id}>
                    {s.name} · {t.common.rows(s.rows_train)}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <div className="field">
            <span className="label" id="model">
              {t.runs.model}
            </span>
            {models.error ? (
              <Failed error={models.error} />
            ) : !models.data ? (
              <Waiting lines={2} />
            ) : models.data.items.length === 0 ? (
              <p className="dim">{t.runs.no_model_text}</p>
            ) : (
              <div className="stack tight" role="radiogroup" aria-labelledby="model">
                {models.data.items.map((m) => (
                  <button
                    key={m.name}
                    type="button"
                    role="radio"
                    aria-checked={m.name === chosen}
                    disabled={m.fits === "too_big"}
                    className="model-row"
                    onClick={() => set_model(m.name)}
                  >
                    <span className="strong">{m.name}</span>
                    <span className="dim small">{t.runs.parameters(compact(m.parameters))}</span>
                    <span className="grow" />
                    <span className={"badge " + { fits: "good", tight: "warn", too_big: "bad" }[m.fits]}>
                      {t.runs.fits[m.fits]}
                    </span>
                  </button>
                ))}
              </div>
            )}
          </div>
          <details>
            <summary className="dim">
              {t.runs.advanced}{" "}
              <span className="badge">
                {Object.keys(changed).length ? t.runs.changed(Object.keys(changed).length) : t.runs.defaults}
              </span>
            </summary>
            <div className="settings-grid">
              {number("learning_rate", t.runs.learning_rate, t.runs.learning_rate_hint, {
                min: 0,
                step: 1e-5,
                decimalScale: 7,
              })}
              {number("num_train_epochs", t.runs.epochs, t.runs.epochs_hint, { min: 1, max: 20 })}
              {method === "dpo" &&
                number("beta", t.runs.beta, t.runs.beta_hint, { min: 0.01, max: 5, step: 0.05 })}
              {number("lora_r", t.runs.rank, t.runs.rank_hint, { min: 1, max: 256 })}
            </div>
          </details>
          <TextInput
            label={
              <>
                {t.common.name} <span className="dim small">{t.common.optional}</span>
              </>
            }
            value={name}
            onChange={(e) => set_name(e.currentTarget.value)}
            placeholder={t.runs.name_example}
            maxLength={200}
          />
        </div>
      </Panel>
      <section className="panel plan" aria-live="polite">
        <header>
          <h2>{t.runs.preview}</h2>
          {p && (
            <span className={"badge " + (p.ready ? "good" : "warn")}>
              {p.ready ? t.runs.ready : t.runs.not_ready}
            </span>
          )}
        </header>
        <div className="body stack">
          {plan.error && frozen ? (
            <Failed error={plan.error} />
          ) : !snapshot ? (
            <>
              <Line name={t.runs.labels_now} value={count(project.counts.annotations)} />
              <p className="dim small">{t.runs.no_plan}</p>
              <button
                type="button"
                className="btn"
                aria-disabled={project.counts.annotations === 0 || busy}
                onClick={freeze}
              >
                {t.runs.freeze}
              </button>
            </>
          ) : !p ? (
            <Waiting lines={6} />
          ) : (
            <>
              <Line name={t.runs.rows} value={t.runs.rows_value(p.rows, p.heldout_rows)} />
              <Line name={t.runs.steps} value={count(p.steps)} />
              <Line name={t.runs.tokens} value={compact(p.tokens)} />
              <Line name={t.runs.time} value={p.seconds ? "≈ " + duration(p.seconds) : "–"} />
              <Line
                name={t.runs.memory}
                value={t.runs.memory_value(bytes(p.memory_bytes), bytes(p.memory_limit_bytes))}
                bad={p.memory_bytes > p.memory_limit_bytes}
              />
              <Line
                name={t.runs.config}
                value={<span className="mono">{p.config_digest.slice(0, 12)}</span>}
              />
              <div>
                <div className="dim small">{t.runs.writes}</div>
                {p.writes.map((w) => (
                  <div key={w} className="mono small clip">
                    {w}
                  </div>
                ))}
              </div>
              {p.missing.length > 0 && (
                <ul className="bad" style={{ margin: 0, paddingLeft: 18 }}>
                  {p.missing.map((m) => (
                    <li key={m}>{m}</li>
                  ))}
                </ul>
              )}
              {project.split_state === "none" && (
                <p className="small dim">
                  {t.runs.no_split} <Link href={`/projects/${project.id}/settings`}>{t.project.splits}</Link>
                </p>
              )}
            </>
          )}
          <button
            type="button"
            className="btn primary"
            style={{ minHeight: 40 }}
            aria-disabled={missing !== null || busy}
            onClick={start}
          >
            {missing ?? t.runs.start}
          </button>
          <p className="small dim">{t.runs.child}</p>
        </div>
      </section>
    </div>
  );
}
const Line = ({ name, value, bad }: { name: string; value: React.ReactNode; bad?: boolean }) => (
  <div className="row between">
    <span className="dim">{name}</span>
    <span className={"right" + (bad ? " bad" : "")}>{value}</span>
  </div>
);
