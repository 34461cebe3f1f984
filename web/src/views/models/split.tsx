// One name, several models: each person stays with one of them, by weight.
import { useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { split } from "../../api/registry";
import type { Alias, RegistryModel } from "../../api/types";
import { t } from "../../messages";
import { percent } from "../../pure/format";
import { toast } from "../../state/toasts";
import { useWrong } from "../../ui/field";
import { FormSheet } from "../../ui/form_sheet";
import { Optional, TextField } from "../../ui/forms";
import { kRegistry } from "./promote";
import { shares } from "./targets";
import { split_problem, targets_of, weight_field, type Weighed } from "./weights";

export function SplitDialog({
  alias,
  models,
  close,
}: {
  alias: Alias;
  models: RegistryModel[];
  close: () => void;
}) {
  const queries = useQueryClient();
  const [weights, set_weights] = useState<Record<string, string>>(() =>
    Object.fromEntries(alias.targets.map((x) => [x.model_id, String(x.weight)])),
  );
  const [reason, set_reason] = useState("");
  const weighed = models.map((m) => ({ id: m.id, name: m.name, text: weights[m.id] ?? "" }));
  const chosen = targets_of(weighed);
  const of_each = shares(chosen);
  const share_of = (id: string): number | null => of_each[chosen.findIndex((x) => x.model === id)] ?? null;
  const send = async () => {
    await split(alias.name, {
      models: chosen,
      expected_version: alias.version,
      ...(reason.trim() ? { reason: reason.trim() } : {}),
    });
    toast(t.models.outcome_text["split"]!, { kind: "good" });
    void queries.invalidateQueries({ queryKey: kRegistry });
    close();
  };
  return (
    <FormSheet
      title={t.models.split_title(alias.name)}
      go={t.models.do_split}
      problem={split_problem(weighed, alias.gate !== null, reason)}
      send={send}
      close={close}
    >
      <p className="dim">{t.models.split_text}</p>
      {models.length < 2 && <p className="notice warn">{t.models.split_needs_two}</p>}
      <ul className="weights" aria-label={t.models.weights}>
        {weighed.map((m) => (
          <Weight
            key={m.id}
            of={m}
            share={share_of(m.id)}
            put={(text) => set_weights((old) => ({ ...old, [m.id]: text }))}
          />
        ))}
      </ul>
      <TextField
        label={alias.gate ? t.models.reason : <Optional>{t.models.reason}</Optional>}
        hint={alias.gate ? t.models.reason_past_gate : t.models.reason_hint}
        name="reason"
        value={reason}
        put={set_reason}
        max_length={1000}
      />
    </FormSheet>
  );
}

function Weight({ of, share, put }: { of: Weighed; share: number | null; put: (text: string) => void }) {
  const wrong = useWrong(weight_field(of.id));
  const id = useId();
  return (
    <li className="row">
      <span className="grow">
        <span className="row">
          <span className="clip">{of.name}</span>
          {share !== null && <span className="dim small nowrap">{t.models.share(percent(share))}</span>}
        </span>
        {wrong && (
          <span className="bad small" id={id}>
            {wrong}
          </span>
        )}
      </span>
      <input
        className="input"
        inputMode="decimal"
        name={weight_field(of.id)}
        aria-label={t.models.weight(of.name)}
        aria-invalid={wrong ? true : undefined}
        aria-describedby={wrong ? id : undefined}
        placeholder="0"
        value={of.text}
        onChange={(e) => put(e.target.value)}
      />
    </li>
  );
}
