// The rule by which a name may move.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { list_heldout_sets, remove_gate, set_gate } from "../../api/registry";
import type { Alias, GateSet, HeldoutSet } from "../../api/types";
import { t } from "../../messages";
import { toast } from "../../state/toasts";
import { Dialog } from "../../ui/dialog";
import { FormSheet } from "../../ui/form_sheet";
import { SelectField, Switch, TextField } from "../../ui/forms";
import { Loaded } from "../../ui/pieces";
import { metric_name } from "./evidence";
import { gate_problem, is_rate } from "./gate_check";
import { kRegistry, registry_key } from "./promote";

const kMetrics = [
  "likelihood_accuracy",
  "likelihood_margin",
  "reward_accuracy",
  "reward_margin",
  "reward_accuracy_norm",
];

export function GateDialog({ alias, close }: { alias: Alias; close: () => void }) {
  const sets = useQuery({ queryKey: registry_key("sets"), queryFn: list_heldout_sets });
  if (sets.data) return <Form alias={alias} sets={sets.data.items} close={close} />;
  return (
    <Dialog title={t.models.gate_title(alias.name)} onClose={close}>
      <Loaded query={sets}>{() => null}</Loaded>
    </Dialog>
  );
}

function SetSelect({
  label,
  hint,
  name,
  value,
  put,
  sets,
  old,
  none,
}: {
  label: string;
  hint: string;
  name: string;
  value: string;
  put: (value: string) => void;
  sets: HeldoutSet[];
  old: GateSet | null | undefined;
  none: string;
}) {
  return (
    <SelectField label={label} hint={hint} name={name} value={value} put={put}>
      <option value="">{old && !old.snapshot_id ? t.models.own_file(old.name) : none}</option>
      {sets.map((s) => (
        <option key={s.snapshot_id} value={s.snapshot_id}>
          {t.models.set_option(s.project, s.name, s.rows)}
        </option>
      ))}
    </SelectField>
  );
}

function MetricSelect({ name, value, put }: { name: string; value: string; put: (value: string) => void }) {
  return (
    <SelectField label={t.models.metric} name={name} value={value} put={put}>
      {kMetrics.map((m) => (
        <option key={m} value={m}>
          {metric_name(m)}
        </option>
      ))}
    </SelectField>
  );
}

function Form({ alias, sets, close }: { alias: Alias; sets: HeldoutSet[]; close: () => void }) {
  const queries = useQueryClient();
  const old = alias.gate;
  const [heldout, set_heldout] = useState(old?.heldout.snapshot_id ?? "");
  const [metric, set_metric] = useState(old?.heldout.metric || kMetrics[0]!);
  const [items_min, set_items_min] = useState(String(old?.items_min ?? 30));
  const [second, set_second] = useState(old?.second?.snapshot_id ?? "");
  const [second_metric, set_second_metric] = useState(old?.second?.metric || kMetrics[0]!);
  const [floor, set_floor] = useState(String(old?.second ? old.floor : 0.5));
  const [no_worse, set_no_worse] = useState(old?.no_worse ?? true);
  const problem = gate_problem({ heldout, items_min, second, second_metric, floor });
  const ended = (text: string) => {
    toast(text, { kind: "good" });
    void queries.invalidateQueries({ queryKey: kRegistry });
    close();
  };
  const send = async () => {
    await set_gate(alias.name, {
      heldout,
      metric,
      items_min: Number(items_min),
      ...(second ? { second, second_metric, floor: Number(floor), no_worse } : {}),
    });
    ended(t.models.gate_saved(alias.name));
  };
  const remove = async () => {
    await remove_gate(alias.name);
    ended(t.models.gate_removed(alias.name));
  };
  return (
    <FormSheet
      title={t.models.gate_title(alias.name)}
      go={t.models.save_gate}
      problem={problem}
      send={send}
      close={close}
      below={(attempt) =>
        old && (
          <div>
            <button type="button" className="btn quiet slim danger flush" onClick={() => attempt(remove)}>
              {t.models.remove_gate}
            </button>
          </div>
        )
      }
    >
      <p className="dim">{t.models.gate_text}</p>
      {sets.length === 0 && <p className="notice warn">{t.models.no_sets}</p>}
      <SetSelect
        label={t.models.heldout}
        hint={t.models.heldout_hint}
        name="heldout"
        value={heldout}
        put={set_heldout}
        sets={sets}
        old={old?.heldout}
        none={t.models.choose_set}
      />
      <div className="pair-of-fields">
        <MetricSelect name="metric" value={metric} put={set_metric} />
        <TextField
          label={t.models.items_min}
          hint={t.models.items_min_hint}
          name="items_min"
          mode="numeric"
          value={items_min}
          put={set_items_min}
        />
      </div>
      <SetSelect
        label={t.models.second}
        hint={t.models.second_hint}
        name="second"
        value={second}
        put={set_second}
        sets={sets}
        old={old?.second}
        none={t.models.second_none}
      />
      {second && (
        <>
          <div className="pair-of-fields">
            <MetricSelect name="second_metric" value={second_metric} put={set_second_metric} />
            <TextField
              label={t.models.floor}
              hint={is_rate(second_metric) ? t.models.floor_hint : t.models.floor_hint_margin}
              name="floor"
              mode="decimal"
              value={floor}
              put={set_floor}
            />
          </div>
          <Switch
            label={t.models.no_worse_switch}
            checked={no_worse}
            onChange={(e) => set_no_worse(e.currentTarget.checked)}
          />
        </>
      )}
    </FormSheet>
  );
}
