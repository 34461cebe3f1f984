// Every decision about a name, with what it rested on; and what the name has meant.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { list_decisions, list_versions } from "../../api/registry";
import type { Alias } from "../../api/types";
import { t } from "../../messages";
import { ago, percent } from "../../pure/format";
import { Dialog } from "../../ui/dialog";
import { Empty, Loaded } from "../../ui/pieces";
import { MoreRows } from "../../ui/table";
import { Evidence, OutcomeBadge, reason_text } from "./evidence";
import { registry_key } from "./promote";
import { targets_text } from "./targets";

export function HistoryDialog({ alias, close }: { alias: Alias; close: () => void }) {
  const query = useInfiniteQuery({
    queryKey: registry_key("decisions", alias.name),
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) => list_decisions(alias.name, pageParam),
    getNextPageParam: (page) => page.next,
  });
  const decisions = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Dialog title={t.models.history_title(alias.name)} onClose={close} side>
      <div className="stack loose">
        <Versions alias={alias} />
        <section className="stack" aria-label={t.models.decisions}>
          <h3>{t.models.decisions}</h3>
          <Loaded query={query}>
            {() =>
              decisions.length === 0 ? (
                <Empty title={t.models.history_none} />
              ) : (
                <ol className="decisions">
                  {decisions.map((d) => (
                    <li key={d.id} className="stack tight">
                      <div className="row wrap">
                        <OutcomeBadge outcome={d.outcome} />
                        {d.candidate && <span className="strong">{d.candidate}</span>}
                        <span className="dim small">{t.models.from_to(d.from_version, d.to_version)}</span>
                      </div>
                      {d.reason && <p className="small">{reason_text(d)}</p>}
                      {d.evidence !== null && typeof d.evidence === "object" && "main" in d.evidence && (
                        <details>
                          <summary className="small">{t.models.evidence}</summary>
                          <Evidence decision={d} />
                        </details>
                      )}
                      <span className="dim small">
                        {d.created_by.name} · {ago(d.created_at, Date.now())}
                      </span>
                    </li>
                  ))}
                </ol>
              )
            }
          </Loaded>
          <MoreRows query={query} shown={decisions.length} />
        </section>
      </div>
    </Dialog>
  );
}

function Versions({ alias }: { alias: Alias }) {
  const query = useQuery({
    queryKey: registry_key("versions", alias.name),
    queryFn: () => list_versions(alias.name),
  });
  const items = query.data?.items ?? [];
  if (items.length === 0) return null;
  return (
    <section className="stack tight" aria-label={t.models.versions}>
      <h3>{t.models.versions}</h3>
      <ol className="versions">
        {items.map((v) => (
          <li key={v.version} className="row between">
            <span className="row" style={{ minWidth: 0 }}>
              <span className="mono dim small">{v.version}</span>
              <span className="clip">{targets_text(v.targets, percent)}</span>
            </span>
            {v.version === alias.version ? (
              <span className="badge good nowrap">{t.models.present}</span>
            ) : (
              <span className="dim small nowrap">{ago(v.created_at, Date.now())}</span>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}
