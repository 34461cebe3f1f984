// The frame around every screen but labelling: where things are, on the left.
import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { list_projects } from "../../api/projects";
import { find_action } from "../../actions/action";
import { t } from "../../messages";
import { useCan, useSession } from "../../state/session";
import { Kbd } from "../../ui/kbd";
import { OutboxChip } from "../label/outbox_chip";
import "./shell.css";

export const Mark = () => (
  <svg className="brand-mark" viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="7" fill="#4f56c6" />
    <path d="M9 8v16M23 8v16M9 16h14" stroke="#fff" strokeWidth="3.4" strokeLinecap="round" fill="none" />
  </svg>
);

export function NavItem({ to, children, exact }: { to: string; children: ReactNode; exact?: boolean }) {
  const [path] = useLocation();
  const here = exact ? path === to : path === to || path.startsWith(to + "/");
  return (
    <Link href={to} className="nav-item" aria-current={here ? "page" : undefined}>
      {children}
    </Link>
  );
}

export function Shell({ children }: { children: ReactNode }) {
  const session = useSession();
  const can = useCan();
  const [open, set_open] = useState(false);
  const projects = useQuery({ queryKey: ["projects"], queryFn: list_projects, staleTime: 15_000 });
  const active = (projects.data?.items ?? []).filter((p) => p.state !== "archived");
  return (
    <div className="shell">
      <a className="skip-link" href="#content">
        {t.common.skip_to_content}
      </a>
      {open && (
        <button type="button" className="scrim" aria-label={t.common.close} onClick={() => set_open(false)} />
      )}
      <nav
        className={"side-nav" + (open ? " open" : "")}
        aria-label={t.nav.main}
        onClick={(event) => {
          if ((event.target as HTMLElement).closest("a")) set_open(false);
        }}
      >
        <div className="brand">
          <Mark />
          <span className="clip">{session.organisation.name}</span>
        </div>
        <button type="button" className="nav-item find" onClick={() => find_action("palette")?.run()}>
          <span>{t.nav.find}</span>
          <Kbd of="ctrl+k" />
        </button>
        <NavItem to="/" exact>
          {t.nav.home}
        </NavItem>
        <NavItem to="/chat">{t.nav.chat}</NavItem>
        {can("model.view") && <NavItem to="/models">{t.nav.models}</NavItem>}
        {can("feedback.view") && <NavItem to="/feedback">{t.nav.feedback}</NavItem>}
        {active.length > 0 && <div className="title">{t.nav.projects}</div>}
        {active.slice(0, 40).map((p) => (
          <NavItem key={p.id} to={`/projects/${p.id}`}>
            <span className="clip">{p.name}</span>
          </NavItem>
        ))}
        {can("project.create") && (
          <NavItem to="/projects/new" exact>
            <span className="dim">+ {t.nav.new_project}</span>
          </NavItem>
        )}
        <div className="foot">
          {(can("people.view") || can("audit.view")) && <div className="title">{t.nav.admin}</div>}
          {can("people.view") && <NavItem to="/people">{t.nav.people}</NavItem>}
          {can("audit.view") && <NavItem to="/audit">{t.nav.audit}</NavItem>}
          <NavItem to="/settings">{t.nav.settings}</NavItem>
          <div className="row small dim" style={{ padding: "8px 8px 0" }}>
            <span className="clip">{session.person.name}</span>
            <span className="badge">{t.roles[session.role]}</span>
          </div>
        </div>
      </nav>
      <div style={{ minWidth: 0 }}>
        <header className="top-bar">
          <button
            type="button"
            className="btn quiet icon slim"
            aria-label={t.common.menu}
            aria-expanded={open}
            onClick={() => set_open(true)}
          >
            ☰
          </button>
          <span className="clip grow strong">{session.organisation.name}</span>
          <OutboxChip />
        </header>
        <main id="content" tabIndex={-1}>
          {children}
        </main>
      </div>
    </div>
  );
}

export function PageHead({
  title,
  text,
  children,
}: {
  title: ReactNode;
  text?: ReactNode;
  children?: ReactNode;
}) {
  return (
    <div className="page-head">
      <div className="grow">
        <h1>{title}</h1>
        {text && <p>{text}</p>}
      </div>
      {children && <div className="row wrap">{children}</div>}
    </div>
  );
}
