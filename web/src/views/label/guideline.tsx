// The guideline beside the work: the keys go on answering while it is open.
import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { get_guideline } from "../../api/projects";
import { t } from "../../messages";
import { Markdown } from "../../ui/markdown";
import { Loaded } from "../../ui/pieces";
import { remember_read } from "./read_version";

export default function Guideline({
  project_id,
  version,
  close,
}: {
  project_id: string;
  version: number;
  close: () => void;
}) {
  const query = useQuery({
    queryKey: ["guideline", project_id, "latest", version],
    queryFn: () => get_guideline(project_id),
    staleTime: 60_000,
  });
  useEffect(() => {
    if (query.data) remember_read(project_id, query.data.version);
  }, [query.data, project_id]);
  return (
    <aside className="guide" aria-label={t.label.guideline} tabIndex={0}>
      <div className="row between guide-head">
        <h2>{t.label.guideline}</h2>
        <span className="row">
          {query.data ? <span className="badge">{t.label.guideline_version(query.data.version)}</span> : null}
          <button type="button" className="btn quiet slim icon" aria-label={t.common.close} onClick={close}>
            ✕
          </button>
        </span>
      </div>
      <Loaded query={query}>
        {(g) => (g.body.trim() ? <Markdown text={g.body} /> : <p className="dim">{t.label.no_guideline}</p>)}
      </Loaded>
    </aside>
  );
}
