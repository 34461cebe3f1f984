// Which screen an address is. Screens are loaded when they are first opened; labelling and home come
// with the first page or right after it.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Component, Suspense, useCallback, useEffect, useMemo, useState, type ReactNode } from "react";
import { Link, Route, Switch, useLocation } from "wouter";
import { all_actions, useActions, useKeys } from "../actions/action";
import { global_actions, project_actions, type GlobalContext } from "../actions/global";
import { listen } from "../api/events";
import { list_projects } from "../api/projects";
import { sign_out } from "../api/session";
import { t } from "../messages";
import { forget_outbox, outbox_of } from "../state/outbox_instance";
import { kSessionKey, useMaybeSession, useSession } from "../state/session";
import { KeySheet, Palette } from "../ui/palette";
import { screen } from "../ui/load";
import { Empty, Failed, Waiting } from "../ui/pieces";
import { Toasts } from "../ui/toasts";
import { Shell } from "./shell/shell";

const SignIn = screen(() => import("./sign_in"));
const Invitation = screen(() => import("./sign_in").then((m) => ({ default: m.Invitation })));
const Home = screen(() => import("./home"));
const NewProject = screen(() => import("./project/new_project"));
const Overview = screen(() => import("./project/overview"));
const GuidelinePage = screen(() => import("./project/guideline"));
const SchemaPage = screen(() => import("./project/schema"));
const ImportPage = screen(() => import("./project/import"));
const ProjectSettings = screen(() => import("./project/settings"));
const TasksPage = screen(() => import("./tasks"));
const QualityPage = screen(() => import("./quality"));
const SnapshotsPage = screen(() => import("./snapshots"));
const RunsPage = screen(() => import("./runs"));
const NewRunPage = screen(() => import("./runs/new_run"));
const RunPage = screen(() => import("./runs/detail"));
const ComparisonPage = screen(() => import("./runs/comparison"));
const PeoplePage = screen(() => import("./people"));
const AuditPage = screen(() => import("./audit"));
const SettingsPage = screen(() => import("./settings"));
const ModelsPage = screen(() => import("./models"));
const FeedbackPage = screen(() => import("./feedback"));
const ChatPage = screen(() => import("./chat"));
const LabelPage = screen(() => import("./label"));

export function App() {
  const session = useMaybeSession();
  const [path] = useLocation();
  return (
    <Guard>
      <Suspense fallback={null}>
        {path.startsWith("/invitation") ? (
          <Invitation />
        ) : path === "/sign-in" ? (
          <SignIn />
        ) : session.error && session.data === undefined ? (
          <div className="page medium">
            <Failed error={session.error} retry={() => void session.refetch()} />
          </div>
        ) : session.data === undefined ? null : session.data === null ? (
          <SignIn />
        ) : !session.data.organisation ? (
          <div className="page medium">
            <Empty whole title={t.common.no_organisation} text={t.common.no_organisation_text} />
          </div>
        ) : (
          <Inside key={session.data.person.id + session.data.organisation.id} />
        )}
      </Suspense>
      <Toasts />
    </Guard>
  );
}

function Inside() {
  const session = useSession();
  const queries = useQueryClient();
  const [, go] = useLocation();
  const [open, set_open] = useState<"palette" | "keys" | null>(null);
  const projects = useQuery({ queryKey: ["projects"], queryFn: list_projects, staleTime: 15_000 });
  useKeys();
  // The screen most people go to next is fetched while nobody waits.
  useEffect(() => {
    if (!session.permissions.includes("label")) return;
    const timer = setTimeout(() => {
      void import("./label");
      void import("./label/panels");
      void import("./label/guideline");
    }, 800);
    return () => clearTimeout(timer);
  }, [session]);
  useEffect(() => {
    void outbox_of(session).then((o) => o.signed_in_again());
  }, [session]);
  useEffect(
    () =>
      listen((type, id) => {
        if (type === "project") {
          void queries.invalidateQueries({ queryKey: ["project", id] });
          void queries.invalidateQueries({ queryKey: ["projects"] });
        } else void queries.invalidateQueries({ queryKey: [type, id] });
        if (type === "model" || type === "alias") void queries.invalidateQueries({ queryKey: ["registry"] });
        if (type === "run") void queries.invalidateQueries({ queryKey: ["runs"] });
      }),
    [queries],
  );
  const get = useCallback(
    (): GlobalContext => ({
      go,
      can: (p) => session.permissions.includes(p),
      open: set_open,
      projects: projects.data?.items ?? [],
      sign_out: () =>
        void sign_out()
          .catch(() => undefined)
          .then(() => {
            forget_outbox();
            queries.clear();
            queries.setQueryData(kSessionKey, null);
            go("/sign-in");
          }),
    }),
    [go, session, projects.data, queries],
  );
  const actions = useMemo(
    () => [...global_actions, ...project_actions(projects.data?.items ?? [])],
    [projects.data],
  );
  useActions(actions, get);
  return (
    <>
      <Switch>
        <Route path="/projects/:id/label">{({ id }) => <LabelPage key={id} project_id={id} />}</Route>
        <Route>
          <Shell>
            <Guard>
              <Suspense
                fallback={
                  <div className="page">
                    <Waiting />
                  </div>
                }
              >
                <Screens />
              </Suspense>
            </Guard>
          </Shell>
        </Route>
      </Switch>
      {open === "palette" && <Palette actions={all_actions()} close={() => set_open(null)} />}
      {open === "keys" && <KeySheet actions={all_actions()} close={() => set_open(null)} />}
    </>
  );
}

function Screens() {
  return (
    <Switch>
      <Route path="/">
        <Home />
      </Route>
      <Route path="/projects/new">
        <NewProject />
      </Route>
      <Route path="/projects/:id">{({ id }) => <Overview key={id} id={id} />}</Route>
      <Route path="/projects/:id/guideline">{({ id }) => <GuidelinePage key={id} id={id} />}</Route>
      <Route path="/projects/:id/schema">{({ id }) => <SchemaPage key={id} id={id} />}</Route>
      <Route path="/projects/:id/import">{({ id }) => <ImportPage key={id} id={id} />}</Route>
      <Route path="/projects/:id/settings">{({ id }) => <ProjectSettings key={id} id={id} />}</Route>
      <Route path="/projects/:id/tasks">
        {({ id }) => <TasksPage key={id + window.location.search} id={id} />}
      </Route>
      <Route path="/projects/:id/quality">{({ id }) => <QualityPage key={id} id={id} />}</Route>
      <Route path="/projects/:id/snapshots">{({ id }) => <SnapshotsPage key={id} id={id} />}</Route>
      <Route path="/projects/:id/runs">{({ id }) => <RunsPage key={id} id={id} />}</Route>
      <Route path="/projects/:id/runs/new">{({ id }) => <NewRunPage key={id} id={id} />}</Route>
      <Route path="/projects/:id/runs/compare">
        {({ id }) => <ComparisonPage key={id + window.location.search} id={id} />}
      </Route>
      <Route path="/projects/:id/runs/:run/:tab?">
        {({ id, run, tab }) => <RunPage key={run} id={id} run_id={run} tab={tab ?? "run"} />}
      </Route>
      <Route path="/chat/:id?">{({ id }) => <ChatPage id={id ?? null} />}</Route>
      <Route path="/models">
        <ModelsPage />
      </Route>
      <Route path="/feedback/:tab?">{({ tab }) => <FeedbackPage tab={tab ?? "said"} />}</Route>
      <Route path="/people">
        <PeoplePage />
      </Route>
      <Route path="/audit">
        <AuditPage />
      </Route>
      <Route path="/settings">
        <SettingsPage />
      </Route>
      <Route>
        <div className="page">
          <Empty whole title={t.common.not_found} text={t.common.not_found_text}>
            <Link href="/" className="btn primary">
              {t.common.go_home}
            </Link>
          </Empty>
        </div>
      </Route>
    </Switch>
  );
}

/** A mistake of ours on one screen leaves the others. */
class Guard extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };
  static getDerivedStateFromError(error: Error) {
    return { error };
  }
  override render() {
    if (!this.state.error) return this.props.children;
    return (
      <div className="page">
        <Empty whole title={t.common.failed} text={`${t.common.failed_text} (${this.state.error.message})`}>
          <button type="button" className="btn primary" onClick={() => window.location.reload()}>
            {t.common.reload}
          </button>
        </Empty>
      </div>
    );
  }
}
