// What opens over the task: reasons to skip or flag by number, and the guideline beside the work.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { get_guideline } from "../../api/projects";
import { t } from "../../messages";
import type { LabelSession, LabelView } from "../../state/label_session";
import { toast } from "../../state/toasts";
import { Dialog } from "../../ui/dialog";
import { Kbd } from "../../ui/kbd";
import { Markdown } from "../../ui/markdown";
import { Loaded } from "../../ui/pieces";

interface PanelProps { what: "skip" | "flag" | "guideline"; view: LabelView; session: LabelSession; project_name: string; close: () => void }

export default function Panels(props: PanelProps) {
  const { what, view, session, close } = props;
  if (what === "guideline") return <Guideline project_id={session.project_id} close={close} />;
  const skip = what === "skip";
  const reasons = skip ? (view.schema?.skip_reasons?.length ? view.schema.skip_reasons : t.label.flag_reasons) : t.label.flag_reasons;
  return (
    <Reasons title={skip ? t.label.skip_title : t.label.flag_title} reasons={reasons} close={close}
      choose={(reason, comment) => { close(); if (skip) session.skip(reason, comment); else { session.flag(reason, comment); toast(t.label.flag_sent); } }} />);
}

function Reasons({ title, reasons, choose, close }: { title: string; reasons: string[]; choose: (reason: string, comment?: string) => void; close: () => void }) {
  const [comment, set_comment] = useState("");
  useEffect(() => {
    const on = (event: KeyboardEvent) => {
      const at = Number(event.key) - 1;
      if ((event.target as HTMLElement).tagName === "INPUT" || !reasons[at] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      choose(reasons[at]!, comment.trim() || undefined);
    };
    window.addEventListener("keydown", on);
    return () => window.removeEventListener("keydown", on);
  });
  return (
    <Dialog title={title} onClose={close}>
      <div className="stack">
        <div className="stack tight">
          {reasons.map((reason, at) => (
            <button key={reason} type="button" className="btn" style={{ justifyContent: "space-between" }} onClick={() => choose(reason, comment.trim() || undefined)}>{reason}{at < 9 && <Kbd of={String(at + 1)} />}</button>))}
        </div>
        <div className="field"><label htmlFor="why">{t.label.skip_comment} <span className="dim small">{t.common.optional}</span></label>
          <input id="why" className="input" value={comment} maxLength={2000} onChange={(event) => set_comment(event.target.value)} /></div>
      </div>
    </Dialog>);
}

function Guideline({ project_id, close }: { project_id: string; close: () => void }) {
  const query = useQuery({ queryKey: ["guideline", project_id, "latest"], queryFn: () => get_guideline(project_id), staleTime: 60_000 });
  useEffect(() => {
    const on = (event: KeyboardEvent) => { if (event.key === "g") { event.preventDefault(); close(); } };
    window.addEventListener("keydown", on);
    return () => window.removeEventListener("keydown", on);
  }, [close]);
  useEffect(() => { if (query.data) read_version(project_id, query.data.version); }, [query.data, project_id]);
  return (
    <Dialog title={t.label.guideline} onClose={close} side tools={query.data ? <span className="badge">{t.label.guideline_version(query.data.version)}</span> : null}>
      <div className="guideline-side"><Loaded query={query}>{(g) => (g.body.trim() ? <Markdown text={g.body} /> : <p className="dim">{t.label.no_guideline}</p>)}</Loaded></div>
    </Dialog>);
}
function read_version(project_id: string, version: number): void { try { localStorage.setItem("hone.guideline." + project_id, String(version)); } catch { /* storage may be off */ } }
