// The sampling rules: what each takes, how much it took, into which project.
import { useQuery, useQueryClient, type UseQueryResult } from "@tanstack/react-query";
import { useCallback, useEffect, type RefObject } from "react";
import { Link } from "wouter";
import type { Page } from "../../api/client";
import { list_projects } from "../../api/projects";
import { change_rule, remove_rule } from "../../api/sampling";
import type { SamplingRule } from "../../api/types";
import { t } from "../../messages";
import { percent } from "../../pure/format";
import { toast, toast_error } from "../../state/toasts";
import { Dialog, DialogActions } from "../../ui/dialog";
import { Bar, Empty, Loaded } from "../../ui/pieces";
import { kRules, type Part } from "./index";
import { RuleForm } from "./rule_form";

export type RuleDialog = "new" | "edit" | "delete" | null;

/** Pauses a rule, or lets it go on. It asks nothing: the same key takes it back. */
export function usePause(): (rule: SamplingRule) => void {
  const queries = useQueryClient();
  return useCallback(
    (rule) => {
      change_rule(rule.id, { on: !rule.on }).then(() => {
        toast(rule.on ? t.feedback.paused(rule.name) : t.feedback.resumed(rule.name), { kind: "good" });
        void queries.invalidateQueries({ queryKey: kRules });
      }, toast_error);
    },
    [queries],
  );
}

export function Rules({
  query,
  chosen,
  choose,
  open,
  pause,
  part,
}: {
  query: UseQueryResult<Page<SamplingRule>>;
  chosen: SamplingRule | null;
  choose: (id: string) => void;
  open: (what: RuleDialog) => void;
  pause: (rule: SamplingRule) => void;
  part: RefObject<Part | null>;
}) {
  const projects = useQuery({ queryKey: ["projects"], queryFn: list_projects, staleTime: 15_000 });
  const list = query.data?.items ?? [];
  useEffect(() => {
    part.current = {
      move: (by) => {
        const at = list.findIndex((r) => r.id === chosen?.id);
        const next = list[Math.min(Math.max(at + by, 0), list.length - 1)];
        if (!next) return;
        choose(next.id);
        document.getElementById("rule-" + next.id)?.focus();
      },
      open: () => undefined,
      find: () => undefined,
    };
  });
  return (
    <Loaded query={query}>
      {({ items }) =>
        items.length === 0 ? (
          <div className="panel">
            <Empty title={t.feedback.rules_none} text={t.feedback.rules_none_text}>
              <button type="button" className="btn primary" onClick={() => open("new")}>
                {t.feedback.new_rule}
              </button>
            </Empty>
          </div>
        ) : (
          <>
            <p className="dim">{t.feedback.rules_text}</p>
            <ul className="rules">
              {items.map((rule) => (
                <RuleCard
                  key={rule.id}
                  rule={rule}
                  chosen={rule.id === chosen?.id}
                  choose={() => choose(rule.id)}
                  open={(what) => {
                    choose(rule.id);
                    open(what);
                  }}
                  pause={() => pause(rule)}
                  project={projects.data?.items.find((p) => p.id === rule.project_id)?.name ?? null}
                />
              ))}
            </ul>
          </>
        )
      }
    </Loaded>
  );
}

const digits_of = (share: number) => (share < 0.01 ? 2 : Number.isInteger(+(share * 100).toFixed(6)) ? 0 : 1);

function RuleCard({
  rule,
  chosen,
  choose,
  open,
  pause,
  project,
}: {
  rule: SamplingRule;
  chosen: boolean;
  choose: () => void;
  open: (what: RuleDialog) => void;
  pause: () => void;
  project: string | null;
}) {
  const full = rule.taken_today >= rule.daily_cap;
  return (
    <li
      id={"rule-" + rule.id}
      className={"panel rule" + (chosen ? " chosen" : "")}
      tabIndex={-1}
      onFocus={choose}
      onClick={choose}
    >
      <div className="row between">
        <h2 className="clip">{rule.name}</h2>
        <span className={"badge " + (!rule.on ? "" : full ? "warn" : "good")}>
          {!rule.on ? t.feedback.state_off : full ? t.feedback.full_today : t.feedback.state_on}
        </span>
      </div>
      <p>
        {t.feedback.rule_line(
          percent(rule.share, digits_of(rule.share)),
          t.feedback.sources_short[rule.source] ?? rule.source,
          rule.model,
        )}{" "}
        <Link href={`/projects/${rule.project_id}/tasks`}>
          {t.feedback.into(project ?? t.feedback.gone_project)}
        </Link>
      </p>
      <div className="stack tight">
        <Bar
          share={rule.taken_today / rule.daily_cap}
          label={t.feedback.today(rule.taken_today, rule.daily_cap)}
        />
        <div className="row between dim small">
          <span>{t.feedback.today(rule.taken_today, rule.daily_cap)}</span>
          <span>{t.feedback.in_all(rule.taken)}</span>
        </div>
      </div>
      <div className="row">
        <button
          type="button"
          className="btn slim"
          aria-label={t.feedback.edit_rule_of(rule.name)}
          onClick={() => open("edit")}
        >
          {t.feedback.edit_rule}
        </button>
        <button
          type="button"
          className="btn slim"
          aria-label={rule.on ? t.feedback.pause_of(rule.name) : t.feedback.resume_of(rule.name)}
          onClick={pause}
        >
          {rule.on ? t.feedback.pause : t.feedback.resume}
        </button>
        <span className="grow" />
        <button
          type="button"
          className="btn slim quiet danger"
          aria-label={t.feedback.delete_of(rule.name)}
          onClick={() => open("delete")}
        >
          {t.feedback.delete_rule}
        </button>
      </div>
    </li>
  );
}

export function RuleDialogs({
  open,
  rule,
  close,
  choose,
}: {
  open: RuleDialog;
  rule: SamplingRule | null;
  close: () => void;
  choose: (id: string) => void;
}) {
  const queries = useQueryClient();
  const again = () => void queries.invalidateQueries({ queryKey: kRules });
  if (open === "new" || (open === "edit" && rule)) {
    const editing = open === "edit" ? rule : null;
    return (
      <RuleForm
        key={editing?.id ?? "new"}
        rule={editing}
        close={close}
        saved={(made) => {
          toast(editing ? t.feedback.rule_saved(made.name) : t.feedback.rule_made(made.name), {
            kind: "good",
          });
          choose(made.id);
          again();
          close();
        }}
      />
    );
  }
  if (open !== "delete" || !rule) return null;
  return (
    <Dialog
      title={t.feedback.delete_title(rule.name)}
      onClose={close}
      footer={
        <DialogActions
          go={t.feedback.delete_rule}
          tone="danger"
          cancel={close}
          run={() => {
            remove_rule(rule.id).then(() => {
              toast(t.feedback.deleted(rule.name), { kind: "good" });
              again();
            }, toast_error);
            close();
          }}
        />
      }
    >
      <p>{t.feedback.delete_text}</p>
    </Dialog>
  );
}
