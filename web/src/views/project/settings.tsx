// How a project asks: overlap, when it may stop, gold, who, splits, state.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { list_people } from "../../api/people";
import {
  change_project,
  freeze_split,
  get_project_people,
  set_project_people,
  type ProjectChange,
} from "../../api/projects";
import { count, percent } from "../../pure/format";
import { t } from "../../messages";
import { toast, toast_error } from "../../state/toasts";
import { NumberInput, SegmentedControl, Switch, TagsInput } from "../../ui/forms";
import { Panel } from "../../ui/pieces";
import { ProjectPage, type LoadedProject } from "./layout";
import { LivePanel } from "./live";

export default function SettingsPage({ id }: { id: string }) {
  return (
    <ProjectPage id={id} page={t.project.settings}>
      {(p) => <Body project={p} />}
    </ProjectPage>
  );
}

function Setting({
  title,
  text,
  children,
  id,
}: {
  title: string;
  text: string;
  children: ReactNode;
  id: string;
}) {
  return (
    <div className="setting">
      <div>
        <div className="strong" id={id}>
          {title}
        </div>
        <div className="dim">{text}</div>
      </div>
      <div>{children}</div>
    </div>
  );
}

function Body({ project }: { project: LoadedProject }) {
  const queries = useQueryClient();
  const [draft, set_draft] = useState<ProjectChange>({});
  const shown = { ...project, ...draft };
  const adaptive = (shown.overlap_max ?? shown.overlap) > shown.overlap; // "adaptive" is no setting of its own
  const put = (change: ProjectChange) => set_draft((d) => ({ ...d, ...change }));
  const changed = Object.entries(draft).filter(
    ([k, v]) => JSON.stringify(v) !== JSON.stringify(project[k as keyof LoadedProject]),
  );
  const refresh = () => {
    void queries.invalidateQueries({ queryKey: ["project", project.id] });
    void queries.invalidateQueries({ queryKey: ["projects"] });
  };
  const save = (change: ProjectChange) =>
    change_project(project.id, change, project.etag).then(() => {
      set_draft({});
      toast(t.common.saved, { kind: "good" });
      refresh();
    }, toast_error);
  return (
    <>
      <Panel
        title={t.project.asking}
        pad={false}
        tools={
          <button
            type="button"
            className="btn primary slim"
            aria-disabled={!changed.length}
            onClick={() => {
              if (changed.length) void save(Object.fromEntries(changed) as ProjectChange);
            }}
          >
            {changed.length ? t.project.save_changes(changed.length) : t.project.nothing_changed}
          </button>
        }
      >
        <Setting id="s-name" title={t.common.name} text={t.project.name_hint}>
          <input
            className="input"
            aria-labelledby="s-name"
            value={shown.name}
            maxLength={200}
            onChange={(e) => put({ name: e.target.value })}
          />
        </Setting>
        <Setting id="s-overlap" title={t.project.overlap} text={t.project.overlap_hint}>
          <NumberInput
            aria-labelledby="s-overlap"
            min={1}
            max={50}
            value={shown.overlap}
            onChange={(v) =>
              put({
                overlap: Number(v) || 1,
                overlap_max: adaptive
                  ? Math.max(shown.overlap_max ?? 0, (Number(v) || 1) + 1)
                  : Number(v) || 1,
              })
            }
          />
        </Setting>
        <Setting id="s-adaptive" title={t.project.adaptive} text={t.project.adaptive_hint}>
          <Switch
            aria-labelledby="s-adaptive"
            checked={adaptive}
            onChange={(e) =>
              put({ overlap_max: e.currentTarget.checked ? shown.overlap + 2 : shown.overlap })
            }
          />
        </Setting>
        {adaptive && (
          <>
            <Setting id="s-most" title={t.project.overlap_max} text={t.project.overlap_max_hint}>
              <NumberInput
                aria-labelledby="s-most"
                min={shown.overlap + 1}
                max={50}
                value={shown.overlap_max ?? shown.overlap}
                onChange={(v) => put({ overlap_max: Math.max(shown.overlap + 1, Number(v) || 0) })}
              />
            </Setting>
            <Setting id="s-stop" title={t.project.stop} text={t.project.stop_hint}>
              <NumberInput
                aria-labelledby="s-stop"
                min={50}
                max={99.9}
                step={1}
                suffix=" %"
                value={Math.round((shown.stop_probability ?? 0.95) * 1000) / 10}
                onChange={(v) => put({ stop_probability: (Number(v) || 95) / 100 })}
              />
            </Setting>
          </>
        )}
        <Setting id="s-gold" title={t.project.gold} text={t.project.gold_hint}>
          <NumberInput
            aria-labelledby="s-gold"
            min={0}
            max={50}
            suffix=" %"
            value={Math.round(shown.gold_share * 100)}
            onChange={(v) => put({ gold_share: (Number(v) || 0) / 100 })}
          />
        </Setting>
        {project.show_gold_result !== undefined && (
          <Setting id="s-result" title={t.project.show_gold} text={t.project.show_gold_hint}>
            <Switch
              aria-labelledby="s-result"
              checked={shown.show_gold_result ?? false}
              onChange={(e) => put({ show_gold_result: e.currentTarget.checked })}
            />
          </Setting>
        )}
        <Setting id="s-lease" title={t.project.lease} text={t.project.lease_hint}>
          <NumberInput
            aria-labelledby="s-lease"
            min={1}
            max={1440}
            suffix=" min"
            value={Math.round(shown.lease_seconds / 60)}
            onChange={(v) => put({ lease_seconds: (Number(v) || 15) * 60 })}
          />
        </Setting>
        <Setting id="s-blind" title={t.project.blind} text={t.project.blind_hint}>
          <Switch
            aria-labelledby="s-blind"
            checked={shown.blind}
            onChange={(e) => put({ blind: e.currentTarget.checked })}
          />
        </Setting>
        <Setting id="s-skills" title={t.project.skills} text={t.project.skills_hint}>
          <TagsInput aria-labelledby="s-skills" value={shown.skills} onChange={(v) => put({ skills: v })} />
        </Setting>
      </Panel>
      {project.task_type === "pairwise" && <LivePanel project_id={project.id} done={refresh} />}
      <Who project={project} />
      <Splits project={project} done={refresh} />
      <Panel title={t.home.column_state} pad={false}>
        <Setting id="s-state" title={t.project.state} text={t.project.state_hint}>
          <SegmentedControl
            fullWidth
            orientation="vertical"
            aria-labelledby="s-state"
            value={project.state}
            onChange={(v) => void save({ state: v as LoadedProject["state"] })}
            data={(["open", "paused", "finished", "archived"] as const).map((v) => ({
              value: v,
              label: t.states[v]!,
            }))}
          />
        </Setting>
      </Panel>
    </>
  );
}

function Who({ project }: { project: LoadedProject }) {
  const queries = useQueryClient();
  const chosen = useQuery({
    queryKey: ["project_people", project.id],
    queryFn: () => get_project_people(project.id),
  });
  const people = useQuery({ queryKey: ["people", "", "all"], queryFn: () => list_people("") });
  const raw: unknown = chosen.data?.people;
  const ids = Array.isArray(raw)
    ? raw.map((x) => (typeof x === "string" ? x : (x as { id: string }).id))
    : null;
  const by_name = new Map(
    (people.data?.items ?? []).filter((p) => p.role !== "viewer").map((p) => [p.name, p.id]),
  );
  const names = ids ? [...by_name].filter(([, id]) => ids.includes(id)).map(([name]) => name) : [];
  const put = (next: string[] | null) =>
    set_project_people(project.id, next).then(() => {
      void queries.invalidateQueries({ queryKey: ["project_people", project.id] });
      toast(t.common.saved, { kind: "good" });
    }, toast_error);
  return (
    <Panel title={t.project.who}>
      <div className="stack">
        <Switch
          label={t.project.everybody}
          description={t.project.everybody_hint}
          checked={ids === null}
          onChange={(e) => void put(e.currentTarget.checked ? null : [])}
        />
        {ids !== null && (
          <TagsInput
            label={t.project.chosen_people}
            data={[...by_name.keys()]}
            value={names}
            onChange={(v) =>
              void put(v.map((n) => by_name.get(n)).filter((x): x is string => x !== undefined))
            }
          />
        )}
      </div>
    </Panel>
  );
}

function Splits({ project, done }: { project: LoadedProject; done: () => void }) {
  const [share, set_share] = useState(10);
  const frozen = project.split_state === "frozen";
  return (
    <Panel
      title={t.project.splits}
      tools={frozen ? <span className="badge good">{t.project.frozen}</span> : null}
    >
      <div className="stack">
        <p className="dim">{t.project.splits_text}</p>
        {frozen ? (
          <p>{t.project.split_is(count(project.split.train), count(project.split.heldout))}</p>
        ) : (
          <div className="row wrap" style={{ alignItems: "flex-end" }}>
            <div style={{ width: 200 }}>
              <NumberInput
                label={t.project.heldout}
                min={1}
                max={50}
                suffix=" %"
                value={share}
                onChange={(v) => set_share(Number(v) || 10)}
              />
            </div>
            <button
              type="button"
              className="btn"
              aria-disabled={project.counts.tasks === 0}
              onClick={() => {
                if (project.counts.tasks)
                  void freeze_split(project.id, share / 100).then(() => {
                    toast(t.project.frozen, { kind: "good" });
                    done();
                  }, toast_error);
              }}
            >
              {project.counts.tasks ? t.project.freeze(percent(share / 100)) : t.project.freeze_needs_tasks}
            </button>
          </div>
        )}
      </div>
    </Panel>
  );
}
