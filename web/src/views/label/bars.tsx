// Above the task: where one is and how far. Below it: one bar of answers and keys.
import type { Bound } from "../../actions/action";
import { slot_name } from "../../actions/labelling";
import { t } from "../../messages";
import type { LabelView } from "../../state/label_session";
import { ActionButton } from "../../ui/action_button";
import { Bar } from "../../ui/pieces";
import { OutboxChip } from "./outbox_chip";
import { is_newer } from "./read_version";

export function TopBar({
  view,
  guideline_open,
  name,
  leave,
  guideline,
  flag,
}: {
  view: LabelView;
  guideline_open: boolean;
  name: string;
  leave: Bound;
  guideline: Bound;
  flag: Bound | undefined;
}) {
  const all = view.done + view.available;
  const newer =
    !guideline_open &&
    view.current !== null &&
    is_newer(view.current.project_id, view.current.guideline_version);
  return (
    <header className="label-top">
      <ActionButton action={leave} className="quiet slim icon" keys={false}>
        <span aria-hidden="true">←</span>
        <span className="visually-hidden">{leave.title}</span>
      </ActionButton>
      <h1 className="clip" style={{ fontSize: 14.5 }}>
        {name}
      </h1>
      <span className="grow" />
      <OutboxChip />
      <div className="figures nowrap">
        <span>
          <b>{t.label.done_today(view.done_today)}</b>
        </span>
        <span className="hide-small">{t.label.minutes(Math.round(view.active_ms_today / 60000))}</span>
        <span className="hide-small">{t.label.left(view.available)}</span>
      </div>
      {flag && (
        <ActionButton action={flag} className="quiet slim hide-small">
          {t.label.flag_short}
        </ActionButton>
      )}
      <ActionButton
        action={guideline}
        className="quiet slim"
        pressed={guideline_open}
        why={newer ? t.label.guideline_new : undefined}
      >
        {guideline.title}
        {newer && (
          <>
            <i className="dot warn" />
            <span className="visually-hidden">{t.label.guideline_new}</span>
          </>
        )}
      </ActionButton>
      <div className="progress">
        <Bar share={all ? view.done / all : 0} label={t.label.progress(view.done, all)} />
      </div>
    </header>
  );
}

export function BottomBar({
  view,
  act,
  differences,
}: {
  view: LabelView;
  act: (id: string) => Bound | undefined;
  differences: boolean;
}) {
  const comparison = view.slots.find((s) => s.question.kind === "comparison" && s.part === "main");
  const chosen = comparison ? view.draft.answer[comparison.question.name] : undefined;
  const place = (id: string) =>
    ({
      left: view.current?.task.responses[0]?.response_id,
      right: view.current?.task.responses[1]?.response_id,
      tie: "tie",
      bad: "both_bad",
    })[id];
  const submit = act("submit");
  const [first] = view.missing;
  const many = (view.current?.task.responses.length ?? 0) > 1;
  return (
    <footer className="label-bottom" aria-label={t.label.toolbar}>
      <div className="side">
        {["undo", "skip", "flag", "rationale"].map((id) => {
          const a = act(id);
          return (
            a && (
              <ActionButton
                key={id}
                action={a}
                className={"quiet" + (id === "flag" || id === "rationale" ? " only-small" : "")}
              >
                {id === "undo" ? t.label.undo_short : id === "flag" ? t.label.flag_short : a.title}
              </ActionButton>
            )
          );
        })}
      </div>
      <div className={"answers" + (comparison ? "" : " submit")}>
        {comparison &&
          ["left", "tie", "bad", "right"].map((id) => {
            const a = act(id);
            return (
              a && (
                <ActionButton
                  key={id}
                  action={a}
                  className={id}
                  pressed={view.instant ? undefined : chosen !== undefined && chosen === place(id)}
                />
              )
            );
          })}
        {submit && view.current && (
          <ActionButton
            action={
              view.slots.some((s) => s.question.kind === "text")
                ? { ...submit, keys: [...submit.keys].reverse() }
                : submit
            }
            className={"primary" + (view.missing.length ? " waits" : "")}
          >
            {first ? t.label.missing(slot_name(first, many), view.missing.length - 1) : submit.title}
          </ActionButton>
        )}
      </div>
      <div className="side end">
        <Saved view={view} />
        {["differences", "rationale"].map((id) => {
          const a = act(id);
          return (
            a && (
              <ActionButton
                key={id}
                action={a}
                className="quiet hide-small"
                pressed={id === "differences" ? differences : undefined}
              >
                {id === "differences" ? t.label.differences_short : a.title}
              </ActionButton>
            )
          );
        })}
      </div>
    </footer>
  );
}

function Saved({ view }: { view: LabelView }) {
  const text = { saved: t.label.draft_saved, saving: t.label.saving, unsaved: t.label.saving, clean: "" }[
    view.saved
  ];
  return text && view.current ? (
    <span className="chip-line dim hide-small nowrap" role="status">
      {text}
    </span>
  ) : null;
}
