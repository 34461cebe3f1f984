// Thumbs a day, and each model's share of thumbs up with its interval.
import type { ReactNode } from "react";
import { t } from "../../messages";
import { days_of, models_of, share_of, type DayCounts } from "../../pure/feedback_days";
import { count, percent } from "../../pure/format";
import { Figure, IntervalBar, StackedBars } from "../../ui/charts";

export function Charts({
  rows,
  days,
  model,
  choose,
  tools,
}: {
  rows: DayCounts[];
  days: number;
  model: string | null;
  choose: (model: string) => void;
  tools: ReactNode;
}) {
  const daily = days_of(rows, days, Date.now(), model);
  const up = daily.reduce((sum, d) => sum + d.up, 0),
    down = daily.reduce((sum, d) => sum + d.down, 0);
  return (
    <div className="said-charts">
      <Figure
        title={t.feedback.per_day}
        sentence={t.feedback.per_day_text(up, down, days, model ? t.feedback.of_model(model) : "")}
        tools={tools}
      >
        <StackedBars
          signed
          data={daily.map((d) => ({ day: d.day.slice(5), up: d.up, down: -d.down }))}
          x="day"
          series={[
            { name: "up", label: t.feedback.up, color: "var(--series-3)" },
            { name: "down", label: t.feedback.down, color: "var(--series-2)" },
          ]}
          format={(v) => count(Math.abs(v))}
          height={250}
        />
      </Figure>
      <Figure title={t.feedback.by_model} sentence={t.feedback.by_model_text}>
        <ul className="model-shares">
          {models_of(rows)
            .slice(0, 8)
            .map((m) => (
              <Model key={m.model} of={m} chosen={m.model === model} choose={choose} />
            ))}
        </ul>
      </Figure>
    </div>
  );
}

function Model({
  of,
  chosen,
  choose,
}: {
  of: ReturnType<typeof models_of>[number];
  chosen: boolean;
  choose: (model: string) => void;
}) {
  const share = share_of(of.up, of.up + of.down);
  const notes = [
    share ? t.feedback.thumbs_of(of.up, of.down) : "",
    of.won + of.lost + of.undecided > 0 ? t.feedback.votes_of(of.won, of.lost, of.undecided) : "",
    of.edited ? `${count(of.edited)} ${t.feedback.edits.toLowerCase()}` : "",
    of.reported ? `${count(of.reported)} ${t.feedback.reports.toLowerCase()}` : "",
  ].filter(Boolean);
  return (
    <li>
      <div className="row between">
        {of.model === "" ? (
          <span className="dim" title={t.feedback.unnamed_hint}>
            {t.feedback.unnamed}
          </span>
        ) : (
          <button
            type="button"
            className="link-button clip"
            aria-pressed={chosen}
            onClick={() => choose(chosen ? "" : of.model)}
          >
            {of.model}
          </button>
        )}
        <b className="nowrap">{share ? percent(share.share) : "–"}</b>
      </div>
      {share && (
        <IntervalBar
          value={share.share}
          interval={share.interval}
          mark={0.5}
          label={`${of.model || t.feedback.unnamed}: ${percent(share.share)} ${t.feedback.up}`}
        />
      )}
      <span className="dim small">{notes.join(" · ")}</span>
    </li>
  );
}
