// What answers under which name: aliases that move through their gates, models and adapters with
// where they came from.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useState } from "react";
import { useActionList, useActions } from "../../actions/action";
import { models_actions, type ModelsContext, type ModelsDialog } from "../../actions/models";
import { list_aliases, list_registry, roll_back } from "../../api/registry";
import type { Alias, RegistryModel } from "../../api/types";
import { t } from "../../messages";
import { percent } from "../../pure/format";
import { useCan } from "../../state/session";
import { toast, toast_error } from "../../state/toasts";
import { ActionButton } from "../../ui/action_button";
import { Empty, Loaded, Panel } from "../../ui/pieces";
import { PageHead } from "../shell/shell";
import { AddBase } from "./add_base";
import { metric_name } from "./evidence";
import { GateDialog } from "./gate";
import { HistoryDialog } from "./history";
import { NewAlias } from "./new_alias";
import { kRegistry, PromoteDialog, registry_key } from "./promote";
import { SplitDialog } from "./split";
import { shares } from "./targets";
import { ModelTable } from "./table";
import "./models.css";

export default function ModelsPage() {
  const can = useCan();
  const may_change = can("model.manage");
  const queries = useQueryClient();
  const aliases = useQuery({
    queryKey: registry_key("aliases"),
    queryFn: list_aliases,
    refetchInterval: (q) => (q.state.data?.items.some((a) => a.job_id) ? 2000 : 15_000),
  });
  const models = useQuery({ queryKey: registry_key("models"), queryFn: list_registry });
  const [chosen, choose] = useState<string | null>(null);
  const [open, set_open] = useState<ModelsDialog>(null);
  const [fresh, set_fresh] = useState<Alias | null>(null); // named, and nowhere yet
  const list = aliases.data?.items;
  const alias = fresh ?? list?.find((a) => a.name === chosen) ?? list?.[0] ?? null;
  useEffect(() => {
    document.title = `${t.nav.models} · ${t.common.product}`;
  }, []);

  const get = useCallback(
    (): ModelsContext => ({
      alias,
      may_change,
      open: set_open,
      move: (by) => {
        const at = list?.findIndex((a) => a.name === alias?.name) ?? -1;
        const next = list?.[Math.min(Math.max(at + by, 0), list.length - 1)];
        if (!next) return;
        choose(next.name);
        document.getElementById("alias-" + next.name)?.focus();
      },
      roll_back: () => {
        if (!alias) return;
        roll_back(alias.name, { expected_version: alias.version }).then((d) => {
          toast(t.models.rolled_back(alias.name, d.to_version), { kind: "good" });
          void queries.invalidateQueries({ queryKey: kRegistry });
        }, toast_error);
      },
    }),
    [alias, list, may_change, queries],
  );
  useActions(models_actions, get);
  const actions = useActionList();
  const action = (id: string) => actions.find((a) => a.id === "models." + id);
  const close = () => {
    set_open(null);
    set_fresh(null);
  };
  const known = models.data?.items ?? [];
  const new_alias = action("new");
  return (
    <div className="page">
      <PageHead title={t.nav.models} text={t.models.text}>
        {new_alias && <ActionButton action={new_alias} />}
      </PageHead>
      <section className="stack" aria-label={t.models.aliases}>
        <Loaded query={aliases}>
          {(page) =>
            page.items.length === 0 ? (
              <Panel>
                <Empty title={t.models.aliases_none} text={t.models.aliases_none_text} />
              </Panel>
            ) : (
              <ul className="aliases">
                {page.items.map((a) => (
                  <AliasCard
                    key={a.name}
                    alias={a}
                    chosen={a.name === alias?.name}
                    choose={() => choose(a.name)}
                    open={(what) => {
                      choose(a.name);
                      set_open(what);
                    }}
                    action={action}
                  />
                ))}
              </ul>
            )
          }
        </Loaded>
      </section>
      <Panel
        title={t.models.list}
        pad={false}
        tools={may_change && models.data && <AddBase models={known} />}
      >
        <div className={models.data ? "" : "body"}>
          <Loaded query={models}>
            {(page) =>
              page.items.length === 0 ? (
                <Empty title={t.models.list_none} text={t.models.list_none_text} />
              ) : (
                <ModelTable models={page.items} may_change={may_change} />
              )
            }
          </Loaded>
        </div>
      </Panel>
      {open === "new" && (
        <NewAlias
          close={close}
          named={(name) => {
            set_fresh({ name, version: 0, targets: [], gate: null, job_id: null });
            choose(name);
            set_open("promote");
          }}
        />
      )}
      {alias && <AliasDialog key={alias.name} open={open} alias={alias} models={known} close={close} />}
    </div>
  );
}

function AliasDialog({
  open,
  alias,
  models,
  close,
}: {
  open: ModelsDialog;
  alias: Alias;
  models: RegistryModel[];
  close: () => void;
}) {
  if (open === "promote") return <PromoteDialog alias={alias} models={models} close={close} />;
  if (open === "split") return <SplitDialog alias={alias} models={models} close={close} />;
  if (open === "gate") return <GateDialog alias={alias} close={close} />;
  if (open === "history") return <HistoryDialog alias={alias} close={close} />;
  return null;
}

/** The gate in words: what moves this name. */
function gate_words(alias: Alias): string {
  const gate = alias.gate;
  if (!gate) return t.models.by_hand;
  const parts = [
    t.models.gate_line(metric_name(gate.heldout.metric || "likelihood_accuracy"), gate.heldout.name),
  ];
  if (gate.items_min) parts.push(t.models.gate_items(gate.items_min));
  if (gate.second) {
    parts.push(
      t.models.gate_floor(
        metric_name(gate.second.metric || "likelihood_accuracy"),
        percent(gate.floor),
        gate.second.name,
      ),
    );
    if (gate.no_worse) parts.push(t.models.no_worse);
  }
  return parts.join("; ");
}

function AliasCard({
  alias,
  chosen,
  choose,
  open,
  action,
}: {
  alias: Alias;
  chosen: boolean;
  choose: () => void;
  open: (what: ModelsDialog) => void;
  action: (id: string) => ReturnType<typeof useActionList>[number] | undefined;
}) {
  const of_each = shares(alias.targets);
  const button = (id: "promote" | "roll_back" | "split" | "gate" | "history", tone = "") => {
    const bound = action(id);
    if (!bound) return null;
    const own =
      id === "roll_back"
        ? { ...bound, enabled: alias.version > 1 }
        : { ...bound, enabled: true, run: () => open(id) };
    return <ActionButton action={own} className={"slim " + tone} keys={chosen} />;
  };
  return (
    <li
      id={"alias-" + alias.name}
      className={"panel alias" + (chosen ? " chosen" : "")}
      tabIndex={0}
      aria-current={chosen ? "true" : undefined}
      aria-label={alias.name}
      onFocus={choose}
      onClick={choose}
    >
      <div className="row between wrap">
        <h2 className="clip">{alias.name}</h2>
        <span className="row">
          {alias.job_id && (
            <button type="button" className="btn quiet slim" onClick={() => open("promote")}>
              <span className="badge accent">{t.models.measuring}</span>
            </button>
          )}
          <span className="badge">{t.models.version(alias.version)}</span>
        </span>
      </div>
      <dl className="facts">
        <dt>{t.models.answers_with}</dt>
        <dd>
          {alias.targets.length === 0 ? (
            <span className="dim">{t.models.nothing_yet}</span>
          ) : (
            alias.targets.map((x, at) => (
              <span key={x.model_id} className="target">
                <span className="strong">{x.model}</span>{" "}
                <span className="mono dim small">{x.digest.slice(0, 12)}</span>
                {alias.targets.length > 1 && (
                  <>
                    <span className="share" aria-hidden="true">
                      <span style={{ width: percent(of_each[at]!).replace(" ", "") }} />
                    </span>
                    <span className="small">{percent(of_each[at]!)}</span>
                  </>
                )}
              </span>
            ))
          )}
        </dd>
        <dt>{t.models.gate}</dt>
        <dd className={alias.gate ? "" : "dim"}>{gate_words(alias)}</dd>
      </dl>
      <div className="row wrap">
        {button("promote", "primary")}
        {button("roll_back")}
        {button("split")}
        {button("gate")}
        {button("history", "quiet")}
      </div>
    </li>
  );
}
