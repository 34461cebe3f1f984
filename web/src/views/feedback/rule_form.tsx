// A rule, made or changed.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { list_projects } from "../../api/projects";
import { change_rule, make_rule, type RuleWish } from "../../api/sampling";
import type { SamplingRule, SamplingSource } from "../../api/types";
import { t } from "../../messages";
import { FormSheet } from "../../ui/form_sheet";
import { Optional, SelectField, TextField } from "../../ui/forms";
import { rule_problem, kPairSources } from "./rule_check";

export function RuleForm({
  rule,
  close,
  saved,
}: {
  rule: SamplingRule | null;
  close: () => void;
  saved: (rule: SamplingRule) => void;
}) {
  const projects = useQuery({ queryKey: ["projects"], queryFn: list_projects });
  const [name, set_name] = useState(rule?.name ?? "");
  const [source, set_source] = useState<SamplingSource>(rule?.source ?? "reported");
  const [project_id, set_project] = useState(rule?.project_id ?? "");
  const [model, set_model] = useState(rule?.model ?? "");
  const [share, set_share] = useState(String(+((rule?.share ?? 1) * 100).toFixed(6)));
  const [cap, set_cap] = useState(String(rule?.daily_cap ?? 100));
  const open = (projects.data?.items ?? []).filter((p) => p.state !== "archived");
  const project = open.find((p) => p.id === project_id);
  const wants_two = project?.task_type === "pairwise" || project?.task_type === "ranking";
  const problem = rule_problem({ name, project_id, source, share, cap, wants_two });
  const send = async () => {
    const wish: RuleWish = {
      name: name.trim(),
      source,
      project_id,
      model: model.trim(),
      share: Number(share) / 100,
      daily_cap: Math.round(Number(cap)),
    };
    saved(await (rule ? change_rule(rule.id, wish) : make_rule(wish)));
  };
  return (
    <FormSheet
      title={rule ? t.feedback.edit_title(rule.name) : t.feedback.new_title}
      go={rule ? t.feedback.save_rule : t.feedback.make_rule}
      problem={problem}
      send={send}
      close={close}
    >
      <TextField
        label={t.feedback.rule_name}
        name="name"
        value={name}
        put={set_name}
        example={t.feedback.rule_name_example}
        max_length={200}
      />
      {projects.data && open.length === 0 && <p className="notice warn">{t.feedback.no_projects}</p>}
      <SelectField
        label={t.feedback.to_project}
        name="project"
        value={project_id}
        put={(id) => {
          set_project(id);
          const type = open.find((p) => p.id === id)?.task_type;
          const two = type === "pairwise" || type === "ranking";
          if (two && !kPairSources.includes(source)) set_source("compared");
        }}
      >
        <option value="">{t.feedback.choose_project}</option>
        {open.map((p) => (
          <option key={p.id} value={p.id}>
            {p.name} · {t.task_types[p.task_type] ?? p.task_type}
          </option>
        ))}
      </SelectField>
      <SelectField
        label={t.feedback.source}
        hint={wants_two ? t.feedback.pair_hint : undefined}
        name="source"
        value={source}
        put={(value) => set_source(value as SamplingSource)}
      >
        {Object.entries(t.feedback.sources).map(([value, text]) => (
          <option
            key={value}
            value={value}
            disabled={wants_two && !kPairSources.includes(value as SamplingSource)}
          >
            {text}
          </option>
        ))}
      </SelectField>
      <TextField
        label={<Optional>{t.feedback.model}</Optional>}
        name="model"
        hint={t.feedback.model_hint}
        value={model}
        put={set_model}
        max_length={500}
      />
      <div className="pair-of-fields">
        <TextField
          label={`${t.feedback.share} (%)`}
          hint={t.feedback.share_hint}
          name="share"
          mode="decimal"
          value={share}
          put={set_share}
        />
        <TextField
          label={t.feedback.cap}
          hint={t.feedback.cap_hint}
          name="cap"
          mode="numeric"
          value={cap}
          put={set_cap}
        />
      </div>
    </FormSheet>
  );
}
