import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../api/client";
import type { Assignment } from "../api/types";
import type { Schema } from "../pure/answer";
import { LabelSession } from "./label_session";

const schema: Schema = {
  version: 1,
  task_type: "pairwise",
  questions: [{ name: "winner", kind: "comparison", title: "Better?" }],
};
const task = (i: number): Assignment => ({
  assignment_id: "a" + i,
  task_id: "t" + i,
  project_id: "p",
  lease_expires_at: new Date(900_000).toISOString(),
  guideline_version: 1,
  schema_version: 1,
  task: {
    prompt: "q" + i,
    responses: [
      { response_id: "l" + i, text: "x" },
      { response_id: "r" + i, text: "y" },
    ],
  },
});

function world(count = 9) {
  const tasks = Array.from({ length: count }, (_, i) => task(i));
  const gone = new Set<string>(),
    sent: { kind: string; id: string; body: unknown }[] = [],
    released: string[] = [],
    beats: string[] = [];
  const state = { away: false, now: 0, asked: 0 };
  const session = new LabelSession(
    "p",
    {
      next_tasks: async (_, n) => {
        state.asked++;
        if (state.away) throw new ApiError(0, "away", "away");
        const list = tasks.filter((t) => !gone.has(t.assignment_id)).slice(0, n);
        return { list, reason: list.length ? null : "none-left" };
      },
      get_mine: async () => ({
        done: 4,
        done_today: 2,
        minutes_today: 3,
        available: count,
        guideline_version: 1,
        recent: [
          {
            assignment_id: "old",
            task_id: "t",
            prompt: "",
            answer: { winner: "l" },
            status: "valid",
            created_at: "",
            can_undo: true,
          },
        ],
      }),
      get_schema: async () => schema,
      save_draft: async () => undefined,
      heartbeat: async (id) => {
        beats.push(id);
      },
      release: async (id) => {
        released.push(id);
      },
      undo_now: async (id) => ({ ...task(99), assignment_id: id, answer: { winner: "l99" } }),
    },
    {
      add: (kind, ids, body) => {
        sent.push({ kind, id: ids.assignment_id, body });
        return "e" + sent.length;
      },
      take_back: async () => undefined,
      busy_assignments: () => new Set(["busy"]),
    },
    () => state.now,
  );
  return { session, sent, gone, released, beats, state, tasks };
}
const settle = async () => {
  for (let i = 0; i < 12; i++) await Promise.resolve();
};
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});
const pick = (s: LabelSession, side: 0 | 1) => {
  const v = s.view();
  s.answer_at_once(v.slots[0]!, v.current!.task.responses[side]!.response_id);
};

describe("a labelling session", () => {
  it("holds one task on screen and two ahead", async () => {
    const { session } = world();
    session.start();
    await settle();
    expect([
      session.view().current?.assignment_id,
      ...session.view().ahead.map((a) => a.assignment_id),
    ]).toEqual(["a0", "a1", "a2"]);
    expect(session.view()).toMatchObject({ done: 4, done_today: 2, available: 9, instant: true });
  });
  it("shows the next task in the same turn, and never one twice though the server still lists it", async () => {
    const { session, gone } = world();
    session.start();
    await settle();
    const seen = [session.view().current!.assignment_id];
    for (let i = 0; i < 3; i++) {
      pick(session, 0);
      if (session.view().current) seen.push(session.view().current!.assignment_id);
    }
    expect(seen).toEqual(["a0", "a1", "a2"]);
    await settle();
    expect(session.view().phase).toBe("loading"); // the answers are still on their way
    for (const id of ["a0", "a1", "a2"]) {
      gone.add(id);
      session.delivered({ project_id: "p", assignment_id: id, kind: "annotation" } as never, {
        kind: "delivered",
      });
    }
    await settle();
    expect(session.view().current?.assignment_id).toBe("a3");
  });
  it("says why there is nothing, and looks again when asked", async () => {
    const { session, gone, tasks } = world(1);
    gone.add("a0");
    session.start();
    await settle();
    expect(session.view()).toMatchObject({ phase: "empty", reason: "none-left" });
    gone.delete("a0");
    session.retry();
    await settle();
    expect(session.view().current?.assignment_id).toBe(tasks[0]!.assignment_id);
  });
  it("goes on with what is here while the server is away, and by itself when it is back", async () => {
    const { session, state, gone, sent } = world();
    session.start();
    await settle();
    state.away = true;
    for (let i = 0; i < 3; i++) {
      pick(session, 1);
      await settle();
    }
    expect(sent.length).toBe(3);
    expect(session.view().phase).toBe("away");
    state.away = false;
    for (const id of ["a0", "a1", "a2"]) gone.add(id);
    await vi.advanceTimersByTimeAsync(2500);
    expect(session.view().current?.assignment_id).toBe("a3");
  });
  it("sends active time, not the time of a coffee", async () => {
    const { session, state, sent } = world();
    session.start();
    await settle();
    state.now = 5_000;
    session.input();
    state.now = 600_000;
    pick(session, 0);
    expect((sent[0]!.body as { active_ms: number }).active_ms).toBe(65_000);
  });
  it("undoes older answers with the server when its own are used up", async () => {
    const { session } = world();
    session.start();
    await settle();
    expect(session.view().can_undo).toBe(true);
    session.undo();
    await settle();
    expect(session.view()).toMatchObject({ again: true, draft: { answer: { winner: "l99" } }, done: 3 });
    expect(session.view().ahead[0]?.assignment_id).toBe("a0");
  });
  it("keeps what was begun on a task that an undo pushed aside", async () => {
    const { session } = world();
    session.start();
    await settle();
    pick(session, 0);
    session.set_rationale("half a thought");
    session.undo();
    expect(session.view().current?.assignment_id).toBe("a0");
    pick(session, 1);
    expect(session.view()).toMatchObject({
      current: { assignment_id: "a1" },
      draft: { rationale: "half a thought" },
    });
  });
  it("keeps its leases alive only while somebody is at work", async () => {
    const { session, state, beats } = world();
    session.start();
    await settle();
    state.now = 50_000;
    session.input();
    state.now = 70_000;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(beats).toEqual(["a0", "a1", "a2"]);
    state.now = 400_000;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(beats.length).toBe(3);
  });
  it("gives tasks nobody looked at back when it ends", async () => {
    const { session, released } = world();
    session.start();
    await settle();
    session.stop();
    expect(released).toEqual(["a1", "a2"]);
  });
});
