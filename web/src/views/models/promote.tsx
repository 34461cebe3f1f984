// An alias moves to another model: at once, or after its gate has measured both.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { ApiError } from "../../api/client";
import { list_decisions, promote } from "../../api/registry";
import { get_job, stop_job } from "../../api/runs";
import type { Alias, Decision, RegistryModel } from "../../api/types";
import { t } from "../../messages";
import { sentence } from "../../pure/format";
import { Dialog } from "../../ui/dialog";
import { FormSheet } from "../../ui/form_sheet";
import { Optional, SelectField, Switch, TextField } from "../../ui/forms";
import { Bar, Failed } from "../../ui/pieces";
import { Verdict } from "./evidence";

export const kRegistry = ["registry"];
export const registry_key = (...rest: string[]) => [...kRegistry, ...rest];

type Stage =
  { kind: "ask" } | { kind: "measuring"; job_id: string } | { kind: "decided"; decision: Decision };

export function PromoteDialog({
  alias,
  models,
  close,
}: {
  alias: Alias;
  models: RegistryModel[];
  close: () => void;
}) {
  const queries = useQueryClient();
  const [stage, set_stage] = useState<Stage>(
    alias.job_id ? { kind: "measuring", job_id: alias.job_id } : { kind: "ask" },
  );
  const decided = (decision: Decision) => {
    set_stage({ kind: "decided", decision });
    void queries.invalidateQueries({ queryKey: kRegistry });
  };
  if (stage.kind === "ask") {
    return (
      <Ask
        alias={alias}
        models={models}
        close={close}
        decided={decided}
        started={(job_id) => set_stage({ kind: "measuring", job_id })}
      />
    );
  }
  return (
    <Dialog
      title={t.models.promote_title(alias.name)}
      onClose={close}
      footer={
        <button type="button" className="btn primary" autoFocus onClick={close}>
          {stage.kind === "decided" ? t.models.done : t.common.close}
        </button>
      }
    >
      {stage.kind === "decided" ? (
        <Verdict decision={stage.decision} />
      ) : (
        <Measuring alias={alias.name} job_id={stage.job_id} decided={decided} />
      )}
    </Dialog>
  );
}

function Ask({
  alias,
  models,
  close,
  decided,
  started,
}: {
  alias: Alias;
  models: RegistryModel[];
  close: () => void;
  decided: (decision: Decision) => void;
  started: (job_id: string) => void;
}) {
  const [model, set_model] = useState("");
  const [reason, set_reason] = useState("");
  const [force, set_force] = useState(false);
  const only = alias.targets.length === 1 ? alias.targets[0]!.model_id : null;
  const candidates = models.filter((m) => m.id !== only);
  const gated = alias.gate !== null && !force;
  const problem = !model
    ? { field: "model", text: t.models.missing_candidate }
    : force && !reason.trim()
      ? { field: "reason", text: t.models.missing_reason }
      : null;
  if (candidates.length === 0) {
    return (
      <Dialog title={t.models.promote_title(alias.name)} onClose={close}>
        <div className="stack">
          <Now alias={alias} />
          <p className="notice warn">{t.models.no_candidates}</p>
        </div>
      </Dialog>
    );
  }
  const send = async () => {
    const answer = await promote(alias.name, {
      model,
      expected_version: alias.version,
      ...(reason.trim() ? { reason: reason.trim() } : {}),
      ...(force ? { force } : {}),
    });
    if ("job_id" in answer) started(answer.job_id);
    else decided(answer);
  };
  return (
    <FormSheet
      title={t.models.promote_title(alias.name)}
      go={gated ? t.models.measure : t.models.move}
      problem={problem}
      send={send}
      close={close}
    >
      <Now alias={alias} />
      <SelectField label={t.models.candidate} name="model" value={model} put={set_model}>
        <option value="">{t.models.missing_candidate}</option>
        {candidates.map((m) => (
          <option key={m.id} value={m.id}>
            {m.name} · {t.models.kinds[m.kind]}
            {m.parent ? ` ${t.models.on(m.parent)}` : ""} · {m.digest.slice(0, 8)}
          </option>
        ))}
      </SelectField>
      <p className="notice">
        {gated
          ? t.models.will_measure(alias.targets.length ? t.models.better : t.models.first_model)
          : t.models.will_move}
      </p>
      {alias.gate && (
        <Switch
          label={t.models.past_gate}
          description={t.models.past_gate_text}
          checked={force}
          onChange={(e) => set_force(e.currentTarget.checked)}
        />
      )}
      {!gated && (
        <TextField
          label={force ? t.models.reason : <Optional>{t.models.reason}</Optional>}
          hint={t.models.reason_hint}
          name="reason"
          value={reason}
          put={set_reason}
          max_length={1000}
        />
      )}
    </FormSheet>
  );
}

const Now = ({ alias }: { alias: Alias }) => (
  <p className="dim">
    {alias.targets.length ? t.models.now(alias.targets.map((x) => x.model).join(", ")) : t.models.now_nothing}
  </p>
);

function Measuring({
  alias,
  job_id,
  decided,
}: {
  alias: string;
  job_id: string;
  decided: (decision: Decision) => void;
}) {
  const job = useQuery({
    queryKey: ["job", job_id],
    queryFn: () => get_job(job_id),
    refetchInterval: (q) =>
      q.state.data && ["done", "failed", "cancelled"].includes(q.state.data.state) ? false : 700,
  });
  const state = job.data?.state;
  useEffect(() => {
    if (state !== "done") return;
    let gone = false;
    void list_decisions(alias, null, 1).then((page) => {
      if (!gone && page.items[0]) decided(page.items[0]);
    });
    return () => {
      gone = true;
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [state, alias]);
  if (job.error instanceof ApiError) return <Failed error={job.error} />;
  if (state === "failed") {
    return (
      <p className="notice bad" role="alert">
        {sentence(job.data?.error ?? "")}
      </p>
    );
  }
  if (state === "cancelled") return <p className="notice">{t.models.stopped}</p>;
  return (
    <div className="stack">
      <p role="status">{job.data?.text ? sentence(job.data.text) : t.models.measuring}</p>
      <Bar share={job.data?.progress ?? 0} label={t.models.measuring} />
      <div className="row between wrap">
        <span className="dim small">{t.models.measuring_note}</span>
        <button type="button" className="btn quiet slim" onClick={() => void stop_job(job_id)}>
          {t.models.stop}
        </button>
      </div>
    </div>
  );
}
