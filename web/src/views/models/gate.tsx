// The rule by which a name may move.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { list_heldout_sets, remove_gate, set_gate } from "../../api/registry";
import type { Alias, GateSet, HeldoutSet } from "../../api/types";
import { t } from "../../messages";
import { kRegistry, registry_key } from "../../state/registry";
import { toast } from "../../state/toasts";
import { FormSheet } from "../../ui/form_sheet";
import { SelectField, Switch, TextField } from "../../ui/forms";
import { Loaded } from "../../ui/pieces";
import { metric_name } from "./evidence";

const kMetrics = [
  "likelihood_accuracy",
  "likelihood_margin",
  "reward_accuracy",
  "reward_margin",
  "reward_accuracy_norm",
];

export function GateDialog({ alias, close }: { alias: Alias; close: () => void }) {
  const sets = useQuery({ queryKey: registry_key("sets"), queryFn: list_heldout_sets });
  return <Loaded query={sets}>{(page) => <Form alias={alias} sets={page.items} close={close} />}</Loaded>;
}

function MetricSelect({ value, put }: { value: string; put: (value: string) => void }) {
  const options = kMetrics.map((m): [string, string] => [m, metric_name(m)]);
  return <SelectField label={t.models.metric} value={value} put={put} options={options} />;
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
  const missing = heldout ? null : t.models.choose_set;
  const choices = (set: GateSet | null | undefined, none: string): [string, string][] => [
    ["", set && !set.snapshot_id ? t.models.own_file(set.name) : none],
    ...sets.map((s): [string, string] => [s.snapshot_id, t.models.set_option(s.project, s.name, s.rows)]),
  ];
  const ended = (text: string) => {
    toast(text, { kind: "good" });
    void queries.invalidateQueries({ queryKey: kRegistry });
    close();
  };
  const send = async () => {
    await set_gate(alias.name, {
      heldout,
      metric,
      items_min: Math.max(0, Math.round(Number(items_min) || 0)),
      ...(second ? { second, second_metric, floor: Number(floor) || 0, no_worse } : {}),
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
      missing={missing}
      send={send}
      close={close}
      below={(attempt) =>
        old && (
          <div>
            <button type="button" className="btn quiet slim danger" onClick={() => attempt(remove)}>
              {t.models.remove_gate}
            </button>
          </div>
        )
      }
    >
      <p className="dim">{t.models.gate_text}</p>
      {sets.length === 0 && <p className="notice warn">{t.models.no_sets}</p>}
      <SelectField
        label={t.models.heldout}
        hint={t.models.heldout_hint}
        value={heldout}
        put={set_heldout}
        options={choices(old?.heldout, t.models.choose_set)}
      />
      <div className="pair-of-fields">
        <MetricSelect value={metric} put={set_metric} />
        <TextField
          label={t.models.items_min}
          hint={t.models.items_min_hint}
          mode="numeric"
          value={items_min}
          put={set_items_min}
        />
      </div>
      <SelectField
        label={t.models.second}
        value={second}
        put={set_second}
        options={choices(old?.second, t.models.second_none)}
      />
      {second && (
        <>
          <div className="pair-of-fields">
            <MetricSelect value={second_metric} put={set_second_metric} />
            <TextField
              label={t.models.floor}
              hint={t.models.floor_hint}
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
