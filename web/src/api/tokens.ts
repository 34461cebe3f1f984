import { call, type Page } from "./client";
import type { Token } from "./types";

export const list_tokens = () => call<Page<Token>>("GET", "/tokens", { query: { limit: 100 } });
export const create_token = (body: { name: string; scope?: string[]; expires_in_days?: number }) =>
  call<{ token: Token; secret: string }>("POST", "/tokens", { body });
export const delete_token = (id: string) => call<void>("DELETE", `/tokens/${id}`);
