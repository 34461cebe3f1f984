// What a decision rests on: the word, the sentence, and the numbers of each set.
import type { Decision, GateComparison, GateEvidence } from "../../api/types";
import { count, fixed, p_value, percent, sentence } from "../../pure/format";
import { t } from "../../messages";
import { IntervalBar } from "../../ui/charts";
import { is_rate } from "./gate_check";

const kTone: Record<string, string> = { promoted: "good", worse: "bad", too_few: "warn", by_hand: "accent" };
export function OutcomeBadge({ outcome }: { outcome: string }) {
  return <span className={"badge " + (kTone[outcome] ?? "")}>{t.models.outcomes[outcome] ?? outcome}</span>;
}

const shown = (metric: string, value: number | undefined, sign = false): string => {
  if (value === undefined) return "–";
  const text = is_rate(metric) ? percent(value, 1).replace("-", "−") : fixed(value, 3);
  return sign && value > 0 ? "+" + text : text;
};
export const metric_name = (metric: string): string => t.models.metrics[metric] ?? metric;

function Comparison({ title, set }: { title: string; set: GateComparison }) {
  const rate = is_rate(set.metric);
  return (
    <div className="stack tight">
      <h3 className="small strong">
        {title} <span className="dim">{metric_name(set.metric)}</span>
      </h3>
      {set.champion_mean !== undefined && (
        <div className="measure">
          <span className="dim">{t.models.was}</span>
          {rate ? (
            <IntervalBar value={set.champion_mean} interval={null} mark={0.5} label={t.models.was} />
          ) : (
            <span />
          )}
          <b className="right">{shown(set.metric, set.champion_mean)}</b>
        </div>
      )}
      <div className="measure">
        <span className="dim">{t.models.is}</span>
        {rate ? (
          <IntervalBar value={set.candidate_mean} interval={null} mark={0.5} label={t.models.is} />
        ) : (
          <span />
        )}
        <b className="right">{shown(set.metric, set.candidate_mean)}</b>
      </div>
      <dl className="facts">
        {set.difference !== undefined && (
          <>
            <dt>{t.models.difference}</dt>
            <dd>
              {shown(set.metric, set.difference, true)} <span className="dim">{p_value(set.p)}</span>
            </dd>
          </>
        )}
        {set.interval && (
          <>
            <dt>{t.models.interval}</dt>
            <dd>
              {shown(set.metric, set.interval[0], true)} … {shown(set.metric, set.interval[1], true)}
            </dd>
          </>
        )}
        <dt>{t.models.items}</dt>
        <dd>{count(set.n)}</dd>
        {set.gained !== undefined && (
          <>
            <dt>{t.models.gained_lost}</dt>
            <dd>
              {count(set.gained)} / {count(set.lost ?? 0)}
            </dd>
          </>
        )}
        {set.smallest_detectable !== undefined && (
          <>
            <dt>{t.models.smallest}</dt>
            <dd>{shown(set.metric, set.smallest_detectable)}</dd>
          </>
        )}
      </dl>
    </div>
  );
}

/** A gate's reason begins with a measure's name; a person's is a sentence. */
export const reason_text = (decision: Decision): string =>
  ["promoted", "kept", "worse", "too_few"].includes(decision.outcome)
    ? decision.reason
    : sentence(decision.reason);

const evidence_of = (decision: Decision): GateEvidence | null =>
  typeof decision.evidence === "object" && decision.evidence !== null && "main" in decision.evidence
    ? (decision.evidence as GateEvidence)
    : null;

export function Evidence({ decision }: { decision: Decision }) {
  const evidence = evidence_of(decision);
  if (!evidence?.main) return null;
  return (
    <div className="stack evidence">
      <Comparison title={t.models.main_set} set={evidence.main} />
      {evidence.second && <Comparison title={t.models.second_set} set={evidence.second} />}
      <p className="dim small">
        {t.models.overlap((evidence.overlap_main ?? 0) + (evidence.overlap_second ?? 0))}
      </p>
    </div>
  );
}

/** The whole of a decision that was just made. */
export function Verdict({ decision }: { decision: Decision }) {
  return (
    <div className="stack" role="status">
      <div className="row wrap">
        <OutcomeBadge outcome={decision.outcome} />
        <span className="dim">{t.models.from_to(decision.from_version, decision.to_version)}</span>
      </div>
      <p>{t.models.outcome_text[decision.outcome] ?? ""}</p>
      {decision.reason && <p className="dim small">{reason_text(decision)}</p>}
      <Evidence decision={decision} />
    </div>
  );
}
