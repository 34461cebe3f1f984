// One name, several models: each person stays with one of them, by weight.
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { split } from "../../api/registry";
import type { Alias, RegistryModel } from "../../api/types";
import { t } from "../../messages";
import { percent } from "../../pure/format";
import { toast } from "../../state/toasts";
import { FormSheet } from "../../ui/form_sheet";
import { TextField } from "../../ui/forms";
import { kRegistry } from "./promote";
import { shares } from "./targets";

const kMost = 8;

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
  const chosen = models
    .map((m) => ({ model: m.id, weight: Number(weights[m.id] ?? 0) }))
    .filter((x) => x.weight > 0);
  const of_each = shares(chosen);
  const share_of = (id: string): number | null => {
    const at = chosen.findIndex((x) => x.model === id);
    return at < 0 ? null : of_each[at]!;
  };
  const missing =
    chosen.length < 2 || chosen.length > kMost
      ? t.models.missing_two
      : alias.gate && !reason.trim()
        ? t.models.missing_reason
        : null;
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
      missing={missing}
      send={send}
      close={close}
    >
      <p className="dim">{t.models.split_text}</p>
      <ul className="weights">
        {models.map((m, at) => {
          const share = share_of(m.id);
          return (
            <li key={m.id} className="row">
              <span className="grow clip">
                {m.name}{" "}
                {share !== null && <span className="dim small">{t.models.share(percent(share))}</span>}
              </span>
              <input
                className="input"
                inputMode="decimal"
                autoFocus={at === 0}
                aria-label={t.models.weight(m.name)}
                placeholder="0"
                value={weights[m.id] ?? ""}
                onChange={(e) => set_weights((old) => ({ ...old, [m.id]: e.target.value }))}
              />
            </li>
          );
        })}
      </ul>
      <TextField
        label={t.models.reason}
        hint={t.models.reason_hint}
        value={reason}
        put={set_reason}
        max_length={1000}
      />
    </FormSheet>
  );
}
