import { call } from "./client";
import type { Organisation } from "./types";

export const get_organisation = () => call<Organisation>("GET", "/organisation");
export const rename_organisation = (name: string) =>
  call<Organisation>("PATCH", "/organisation", { body: { name } });
