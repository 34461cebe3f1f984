import type { UsageRow } from "../pure/usage";
import { call, type Page } from "./client";
import type { Token, TokenLimits } from "./types";

export const list_tokens = () => call<Page<Token>>("GET", "/tokens", { query: { limit: 100 } });
export const create_token = (
  body: { name: string; scope?: string[]; expires_in_days?: number } & Partial<TokenLimits>,
) => call<{ token: Token; secret: string }>("POST", "/tokens", { body });
export const limit_token = (id: string, body: Partial<TokenLimits>) =>
  call<Token>("PATCH", `/tokens/${id}`, { body });
export const delete_token = (id: string) => call<void>("DELETE", `/tokens/${id}`);

const kMostPages = 20;
/** The rows of the last days, page by page. */
export async function read_usage(days: number): Promise<UsageRow[]> {
  const rows: UsageRow[] = [];
  let after: string | null = null;
  for (let pages = 0; pages < kMostPages; pages++) {
    const page: Page<UsageRow> = await call("GET", "/usage", { query: { days, limit: 200, after } });
    rows.push(...page.items);
    after = page.next;
    if (!after) break;
  }
  return rows;
}
