// Small pieces: what a screen says while it waits, when it has nothing, when something failed.
import type { ReactNode } from "react";
import { ApiError } from "../api/client";
import { t } from "../messages";

export function Skeleton({ height = 16, width = "100%" }: { height?: number; width?: number | string }) {
  return <div className="skeleton" style={{ height, width }} aria-hidden="true" />;
}
export function Waiting({ lines = 5 }: { lines?: number }) {
  return (
    <div className="stack" role="status" aria-label={t.common.loading}>
      {Array.from({ length: lines }, (_, at) => (
        <Skeleton key={at} height={at === 0 ? 22 : 14} width={`${[38, 92, 84, 88, 60, 76, 90][at % 7]}%`} />
      ))}
    </div>
  );
}
export function Empty({
  title,
  text,
  children,
  whole,
}: {
  title: string;
  text?: string;
  children?: ReactNode;
  whole?: boolean;
}) {
  return (
    <div className="empty">
      {whole ? <h1>{title}</h1> : <h2>{title}</h2>}
      {text && <p>{text}</p>}
      {children && <div className="row wrap">{children}</div>}
    </div>
  );
}
export function Failed({ error, retry }: { error: unknown; retry?: () => void }) {
  const away = error instanceof ApiError && error.status === 0;
  return (
    <div className="notice bad" role="alert">
      <span className="grow">
        {away ? t.common.away : error instanceof Error ? error.message : String(error)}
      </span>
      {retry && (
        <button type="button" className="btn slim" onClick={retry}>
          {t.common.retry}
        </button>
      )}
    </div>
  );
}
export function Stat({ label, children, note }: { label: string; children: ReactNode; note?: ReactNode }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>
        {children} {note && <small>{note}</small>}
      </dd>
    </div>
  );
}
export function Bar({ share, label }: { share: number; label: string }) {
  const percent = Math.round(Math.min(1, Math.max(0, share)) * 1000) / 10;
  return (
    <div
      className="bar"
      role="progressbar"
      aria-label={label}
      aria-valuenow={Math.round(percent)}
      aria-valuemin={0}
      aria-valuemax={100}
    >
      <span style={{ width: percent + "%" }} />
    </div>
  );
}
export function Panel({
  title,
  tools,
  footer,
  children,
  pad = true,
}: {
  title?: ReactNode;
  tools?: ReactNode;
  footer?: ReactNode;
  children: ReactNode;
  pad?: boolean;
}) {
  return (
    <section className="panel">
      {title && (
        <header>
          <h2>{title}</h2>
          {tools && <div className="row">{tools}</div>}
        </header>
      )}
      {pad ? <div className="body">{children}</div> : children}
      {footer && <footer>{footer}</footer>}
    </section>
  );
}
/** One query on a screen: skeleton, failure, or what it brought. */
export function Loaded<T>({
  query,
  children,
  lines,
}: {
  query: { data: T | undefined; error: unknown; refetch: () => unknown };
  children: (data: T) => ReactNode;
  lines?: number;
}) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} />;
  return <Waiting {...(lines ? { lines } : {})} />;
}
