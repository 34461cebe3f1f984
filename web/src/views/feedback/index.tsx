// What people say of served answers, and the rules by which it becomes work for a labelling project.
import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { Link, useLocation } from "wouter";
import { useActionList, useActions } from "../../actions/action";
import { feedback_actions, type FeedbackContext } from "../../actions/feedback";
import { list_rules } from "../../api/sampling";
import { t } from "../../messages";
import { useCan } from "../../state/session";
import { ActionButton } from "../../ui/action_button";
import { Empty } from "../../ui/pieces";
import { PageHead } from "../shell/shell";
import { ExportMenu } from "./export_menu";
import { RuleDialogs, Rules, usePause, type RuleDialog } from "./rules";
import { Said } from "./said";
import "./feedback.css";

export type Tab = "said" | "rules";
/** What the part that is shown can do with the keys of the page. */
export interface Part {
  move: (by: number) => void;
  open: () => void;
  find: () => void;
}
export const kRules = ["sampling_rules"];

export default function FeedbackPage({ tab: named }: { tab: string }) {
  const can = useCan();
  const may_rule = can("feedback.manage");
  const tab: Tab = named === "rules" ? "rules" : "said";
  const [, go] = useLocation();
  const part = useRef<Part | null>(null);
  const [chosen, choose] = useState<string | null>(null);
  const [open, set_open] = useState<RuleDialog>(null);
  const rules = useQuery({
    queryKey: kRules,
    queryFn: list_rules,
    enabled: may_rule,
    refetchInterval: tab === "rules" ? 15_000 : false,
  });
  const list = rules.data?.items ?? [];
  const rule = list.find((r) => r.id === chosen) ?? list[0] ?? null;
  useEffect(() => {
    document.title = `${t.nav.feedback} · ${t.common.product}`;
  }, []);
  const pause = usePause();
  const get = useCallback(
    (): FeedbackContext => ({
      tab,
      may_rule,
      has_rule: rule !== null,
      rule_on: rule?.on ?? false,
      move: (by) => part.current?.move(by),
      open: () => part.current?.open(),
      find: () => part.current?.find(),
      show: (to) => go(to === "rules" ? "/feedback/rules" : "/feedback"),
      new_rule: () => set_open("new"),
      edit_rule: () => set_open("edit"),
      pause_rule: () => rule && pause(rule),
      delete_rule: () => set_open("delete"),
    }),
    [tab, may_rule, rule, go, pause],
  );
  useActions(feedback_actions, get);
  const new_rule = useActionList().find((a) => a.id === "feedback.new");
  if (!can("feedback.view"))
    return (
      <div className="page">
        <Empty whole title={t.common.forbidden} text={t.common.forbidden_text} />
      </div>
    );
  return (
    <div className="page">
      <PageHead title={t.nav.feedback} text={t.feedback.text}>
        {may_rule && tab === "said" && <ExportMenu />}
        {new_rule && <ActionButton action={new_rule} className={tab === "rules" ? "primary" : ""} />}
      </PageHead>
      <nav className="tabs" aria-label={t.feedback.sections}>
        <Link href="/feedback" aria-current={tab === "said" ? "page" : undefined}>
          {t.feedback.tab_said}
        </Link>
        {may_rule && (
          <Link href="/feedback/rules" aria-current={tab === "rules" ? "page" : undefined}>
            {t.feedback.tab_rules}
            {list.length > 0 && <span className="badge">{list.filter((r) => r.on).length}</span>}
          </Link>
        )}
      </nav>
      {tab === "said" ? (
        <Said part={part} />
      ) : may_rule ? (
        <Rules query={rules} chosen={rule} choose={choose} open={set_open} pause={pause} part={part} />
      ) : (
        <p className="notice">{t.feedback.rules_not_yours}</p>
      )}
      {may_rule && <RuleDialogs open={open} rule={rule} close={() => set_open(null)} choose={choose} />}
    </div>
  );
}
