import { expect, it } from "vitest";
import { local_drafts } from "./local_drafts";

function storage() {
  const map = new Map<string, string>();
  return {
    getItem: (k: string) => map.get(k) ?? null,
    setItem: (k: string, v: string) => {
      map.set(k, v);
    },
  };
}

it("keeps a draft for its owner, the last twenty", () => {
  const place = storage();
  const mine = local_drafts<number>("me", place);
  for (let i = 0; i < 25; i++) mine.keep("a" + i, i);
  expect(mine.get("a24")).toBe(24);
  expect(mine.get("a0")).toBeNull();
  mine.drop("a24");
  expect(mine.get("a24")).toBeNull();
  expect(local_drafts<number>("you", place).get("a20")).toBeNull();
});
it("survives a storage that is off or holds something else", () => {
  const broken = {
    getItem: () => "{not json",
    setItem: () => {
      throw new Error("full");
    },
  };
  const drafts = local_drafts<number>("me", broken);
  drafts.keep("a", 1);
  expect(drafts.get("a")).toBeNull();
  expect(local_drafts<number>("me", null).get("a")).toBeNull();
});
