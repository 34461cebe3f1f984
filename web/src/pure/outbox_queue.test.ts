import { expect, it } from "vitest";
import { next_entry, outcome_of, wait_ms, type Entry } from "./outbox_queue";

const entry = (order: number, owner: string, state: Entry["state"] = "waiting"): Entry => ({
  id: "e" + order,
  order,
  owner,
  kind: "annotation",
  assignment_id: "a",
  project_id: "p",
  body: {},
  created_at_ms: 0,
  attempts: 0,
  state,
});

it("sends the oldest of this owner only", () => {
  const list = [entry(3, "me"), entry(1, "other"), entry(2, "me")];
  expect(next_entry(list, "me")?.id).toBe("e2");
  expect(next_entry(list, "nobody")).toBeUndefined();
  expect(next_entry([entry(1, "me", "refused"), entry(2, "me")], "me")?.id).toBe("e2");
});
it("waits longer after each failure, as long as asked, and never for ever", () => {
  expect(wait_ms(0)).toBe(500);
  expect(wait_ms(3)).toBe(4000);
  expect(wait_ms(50)).toBe(30_000);
  expect(wait_ms(0, 9000)).toBe(9000);
  expect(wait_ms(0, 1e9)).toBe(300_000);
});
it("tries again when the server is away or busy, and not when it refused", () => {
  for (const status of [0, 408, 429, 500, 503]) expect(outcome_of(status, "").kind).toBe("later");
  for (const status of [400, 403, 404, 409, 413, 422]) expect(outcome_of(status, "no").kind).toBe("refused");
  expect(outcome_of(401, "").kind).toBe("signed_out");
  expect(outcome_of(201, "").kind).toBe("delivered");
});
