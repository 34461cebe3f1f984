// Which two models answer what people write while they label.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { list_models } from "../../api/chat";
import { change_live, get_live, type LiveSide } from "../../api/live";
import { t } from "../../messages";
import { toast, toast_error } from "../../state/toasts";
import { NumberInput, Switch } from "../../ui/forms";
import { Panel } from "../../ui/pieces";

const kUsual = (model: string, temperature: number): LiveSide => ({
  model,
  temperature,
  top_p: 1,
  max_tokens: 512,
  system: "",
});

export function LivePanel({ project_id, done }: { project_id: string; done: () => void }) {
  const queries = useQueryClient();
  const live = useQuery({ queryKey: ["live", project_id], queryFn: () => get_live(project_id) });
  const models = useQuery({ queryKey: ["v1_models"], queryFn: list_models, retry: false });
  const [draft, set_draft] = useState<[LiveSide, LiveSide] | null>(null);
  const names = (models.data ?? []).map((m) => m.id);
  const kept = live.data?.sides ?? null;
  const sides = draft ?? kept;
  const save = (next: [LiveSide, LiveSide] | null) =>
    change_live(project_id, next).then(() => {
      set_draft(null);
      toast(t.common.saved, { kind: "good" });
      void queries.invalidateQueries({ queryKey: ["live", project_id] });
      done();
    }, toast_error);
  const first = names[0] ?? "";
  const put = (at: number, change: Partial<LiveSide>) =>
    sides &&
    set_draft(sides.map((side, i) => (i === at ? { ...side, ...change } : side)) as [LiveSide, LiveSide]);
  if (live.isPending) return null;
  return (
    <Panel
      title={t.project.live}
      tools={
        draft && (
          <button type="button" className="btn primary slim" onClick={() => void save(draft)}>
            {t.common.save}
          </button>
        )
      }
    >
      <div className="stack">
        <Switch
          label={t.project.live_on}
          description={t.project.live_text}
          checked={sides !== null}
          disabled={sides === null && names.length === 0}
          onChange={(event) => {
            if (event.currentTarget.checked) set_draft([kUsual(first, 0.2), kUsual(names[1] ?? first, 1)]);
            else if (kept) void save(null);
            else set_draft(null);
          }}
        />
        {sides === null && names.length === 0 && !models.isPending && (
          <p className="dim small">{t.project.live_no_models}</p>
        )}
        {sides?.map((side, at) => (
          <fieldset key={at} className="live-side">
            <legend>{t.project.live_side(at + 1)}</legend>
            <div className="field">
              <label htmlFor={`live-model-${at}`}>{t.project.live_model}</label>
              <select
                id={`live-model-${at}`}
                className="input"
                value={side.model}
                onChange={(event) => put(at, { model: event.target.value })}
              >
                {!names.includes(side.model) && <option value={side.model}>{side.model}</option>}
                {names.map((name) => (
                  <option key={name} value={name}>
                    {name}
                  </option>
                ))}
              </select>
            </div>
            <NumberInput
              label={t.project.live_temperature}
              min={0}
              max={2}
              step={0.1}
              value={side.temperature}
              onChange={(value) => put(at, { temperature: Number(value) || 0 })}
            />
            <NumberInput
              label={t.project.live_tokens}
              min={1}
              max={4096}
              value={side.max_tokens}
              onChange={(value) => put(at, { max_tokens: Math.round(Number(value)) || 512 })}
            />
            <div className="field wide">
              <label htmlFor={`live-system-${at}`}>{t.project.live_system}</label>
              <textarea
                id={`live-system-${at}`}
                rows={2}
                maxLength={16_000}
                value={side.system}
                onChange={(event) => put(at, { system: event.target.value })}
              />
            </div>
          </fieldset>
        ))}
      </div>
    </Panel>
  );
}
