import { call, type Page } from "./client";
import type { AuditEvent } from "./types";

export const list_audit = (
  filter: { object?: string; kind?: string; actor?: string },
  after: string | null,
) => call<Page<AuditEvent>>("GET", "/audit", { query: { ...filter, after, limit: 100 } });
export const verify_audit = () =>
  call<{ events: number; intact: boolean; head: string }>("GET", "/audit/verify");
