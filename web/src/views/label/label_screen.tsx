// The labelling screen: what was asked, the answers, one bar of keys. All it does goes through
// actions/labelling; all it shows comes from state/label_session.
import { Suspense, useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { useLocation } from "wouter";
import { bind, useActions, type Bound } from "../../actions/action";
import { label_actions, type LabelContext } from "../../actions/labelling";
import { t } from "../../messages";
import type { LabelSession, LabelView } from "../../state/label_session";
import { ActionButton } from "../../ui/action_button";
import { screen } from "../../ui/load";
import { Empty, Failed, Skeleton } from "../../ui/pieces";
import { BottomBar, TopBar } from "./bars";
import { useNotices, useWarm } from "./effects";
import { Live } from "./live";
import { TaskView } from "./task_view";
import "../../ui/answer_card.css";
import "./label.css";

const Panels = screen(() => import("./panels"));
const Guideline = screen(() => import("./guideline"));
export interface LabelScreenProps {
  session: LabelSession;
  project_name: string;
  back: string;
  live?: boolean;
}

export function LabelScreen({ session, project_name, back, live = false }: LabelScreenProps) {
  const view = useSyncExternalStore(session.subscribe, session.view);
  const [, go] = useLocation();
  const [differences, set_differences] = useState(false);
  const [panel, set_panel] = useState<"skip" | "flag" | null>(null);
  const [guideline, set_guideline] = useState(false);
  const [reason_open, set_reason_open] = useState(false);
  const main = useRef<HTMLElement>(null);
  const rationale = useRef<HTMLTextAreaElement>(null);
  const responses = view.current?.task.responses ?? [];
  const can_differ = responses.length === 2;

  useEffect(() => {
    main.current?.scrollTo({ top: 0 });
  }, [view.shown]);
  useEffect(() => {
    if (!view.draft.rationale) set_reason_open(false);
  }, [view.shown]);
  useWarm(view, differences);
  useNotices(view, session);

  const focus_rationale = useCallback(() => {
    set_reason_open(true);
    requestAnimationFrame(() => rationale.current?.focus());
  }, []);
  const stop_writing = useCallback(() => {
    (document.activeElement as HTMLElement | null)?.blur();
    main.current?.focus({ preventScroll: true });
  }, []);
  const context: LabelContext = {
    session,
    view,
    differences,
    can_differ,
    leave: () => go(back),
    open: set_panel,
    toggle_guideline: () => set_guideline((g) => !g),
    write_here: () => {
      const at = session.view().slots[session.view().cursor];
      const field =
        at?.question.kind === "text"
          ? [...document.querySelectorAll<HTMLElement>("[data-slot-text]")].find(
              (e) => e.dataset.slotText === at.id,
            )
          : undefined;
      field?.focus();
      return field !== undefined;
    },
    toggle_differences: () => set_differences((d) => !d),
    focus_rationale,
    stop_writing,
  };
  const latest = useRef(context);
  latest.current = context;
  const get = useCallback(() => ({ ...latest.current, view: session.view() }), [session]);
  useActions(label_actions, get);
  const bound = new Map(
    label_actions.filter((a) => a.shown?.(context) ?? true).map((a) => [a.id, bind(a, context)]),
  );
  const act = (id: string): Bound | undefined => bound.get("label." + id);
  const narrow = responses.length < 2 && view.phase === "working";

  return (
    <div className="label-screen">
      <TopBar
        view={view}
        guideline_open={guideline}
        name={project_name}
        leave={act("leave")!}
        guideline={act("guideline")!}
        flag={act("flag")}
      />
      <div className="label-middle">
        <main
          className="label-main"
          id="content"
          tabIndex={0}
          ref={main}
          aria-label={t.label.screen}
          aria-busy={view.phase === "loading"}
        >
          <div
            className={"label-page" + (narrow ? " narrow" : "")}
            data-assignment={view.current?.assignment_id}
          >
            <Body
              view={view}
              session={session}
              differences={differences && can_differ}
              act={act}
              back={back}
              live={live}
            />
            {view.phase === "working" &&
              view.schema?.rationale !== "off" &&
              (reason_open || view.draft.rationale !== "" || view.schema?.rationale === "required") && (
                <div className="rationale field">
                  <label htmlFor="rationale">{t.label.rationale_label}</label>
                  <textarea
                    id="rationale"
                    ref={rationale}
                    value={view.draft.rationale}
                    maxLength={10000}
                    onChange={(event) => session.set_rationale(event.target.value)}
                    placeholder={t.label.rationale_hint}
                  />
                </div>
              )}
          </div>
        </main>
        {guideline && (
          <Suspense fallback={null}>
            <Guideline
              project_id={session.project_id}
              version={view.current?.guideline_version ?? 0}
              close={() => set_guideline(false)}
            />
          </Suspense>
        )}
      </div>
      <BottomBar view={view} act={act} differences={differences} />
      {panel && (
        <Suspense fallback={null}>
          <Panels what={panel} view={view} session={session} close={() => set_panel(null)} />
        </Suspense>
      )}
    </div>
  );
}

function Body({
  view,
  session,
  differences,
  act,
  back,
  live,
}: {
  view: LabelView;
  session: LabelSession;
  differences: boolean;
  act: (id: string) => Bound | undefined;
  back: string;
  live: boolean;
}) {
  const [, go] = useLocation();
  if (view.phase === "failed")
    return <Failed error={new Error(view.error ?? t.label.refused_load)} retry={() => session.retry()} />;
  if (view.phase === "away")
    return (
      <Empty title={t.label.away} text={t.label.away_text}>
        <button type="button" className="btn" onClick={() => session.retry()}>
          {t.common.retry}
        </button>
      </Empty>
    );
  if (view.phase === "empty") {
    const reason = view.reason ?? "none-left";
    if (live && (reason === "none-left" || reason === "all-yours-done")) return <Live session={session} />;
    return (
      <Empty
        title={t.label.empty[reason] ?? t.label.empty["none-left"]!}
        text={t.label.empty_text[reason] ?? ""}
      >
        <button type="button" className="btn primary" onClick={() => go(back)}>
          {t.label.leave}
        </button>
        <button type="button" className="btn" onClick={() => session.retry()}>
          {t.label.look_again}
        </button>
        {act("undo")?.enabled && <ActionButton action={act("undo")!} />}
      </Empty>
    );
  }
  if (!view.current) {
    return (
      <div className="stack loose" role="status" aria-label={t.common.loading}>
        <Skeleton height={84} />
        <div className="responses">
          <Skeleton height={320} />
          <Skeleton height={320} />
        </div>
      </div>
    );
  }
  return (
    <TaskView key={view.current.assignment_id} view={view} session={session} differences={differences} />
  );
}
