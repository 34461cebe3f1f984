import { IDBFactory } from "fake-indexeddb";
import { beforeEach, describe, expect, it } from "vitest";
import type { Entry } from "../pure/outbox_queue";
import { Outbox, type Sent } from "./outbox";
import { IndexedStore, MemoryStore, type OutboxStore } from "./outbox_store";

const ids = (a: string) => ({ assignment_id: a, project_id: "p" });
// By turns of the event loop, not by time: a busy machine only makes them longer.
const settle = async () => {
  for (let turn = 0; turn < 80; turn++) await new Promise((r) => setTimeout(r, 0));
};
beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
});

for (const kind of ["memory", "IndexedDB"] as const) {
  const make = (): Promise<OutboxStore> =>
    kind === "memory" ? Promise.resolve(new MemoryStore()) : IndexedStore.open();

  describe(`an outbox in ${kind}`, () => {
    /** A server that can be away, lose the reply, or refuse; it counts by key, as the real one does. */
    function server() {
      const state = {
        away: false,
        lose_replies: false,
        refuse: false,
        order: [] as string[],
        seen: new Set<string>(),
        sent: 0,
      };
      const send = async (entry: Entry): Promise<Sent> => {
        state.sent++;
        if (state.away) return { kind: "later" };
        if (state.refuse) return { kind: "refused", reason: "no" };
        if (!state.seen.has(entry.id)) {
          state.seen.add(entry.id);
          state.order.push(entry.kind + " " + entry.assignment_id);
        }
        return state.lose_replies ? { kind: "later" } : { kind: "delivered" };
      };
      return { state, send };
    }
    const timers: (() => void)[] = [];
    const later = (run: () => void) => {
      timers.push(run);
      return () => {
        const at = timers.indexOf(run);
        if (at >= 0) timers.splice(at, 1);
      };
    };
    const next_timer = async () => {
      timers.shift()?.();
      await settle();
    };
    beforeEach(() => {
      timers.length = 0;
    });

    it("delivers in order, each once, though the server was away", async () => {
      const { state, send } = server();
      const outbox = new Outbox({ store: await make(), owner: "me", send, later });
      await outbox.start();
      state.away = true;
      for (const a of ["a1", "a2", "a3"]) outbox.add("annotation", ids(a), {});
      await settle();
      expect(outbox.view()).toMatchObject({ waiting: 3, away: true });
      state.away = false;
      state.lose_replies = true;
      await next_timer();
      state.lose_replies = false;
      await next_timer();
      expect(state.order).toEqual(["annotation a1", "annotation a2", "annotation a3"]);
      expect(outbox.view()).toMatchObject({ waiting: 0, away: false });
    });

    it("takes back what was never sent without a trace", async () => {
      const { state, send } = server();
      const outbox = new Outbox({ store: await make(), owner: "me", send, later });
      await outbox.start();
      state.away = true;
      outbox.add("annotation", ids("a1"), {});
      await settle();
      const second = outbox.add("annotation", ids("a2"), {});
      await outbox.take_back(second, ids("a2"));
      state.away = false;
      await next_timer();
      expect(state.order).toEqual(["annotation a1"]);
    });

    it("follows what may have arrived by an undo, in order", async () => {
      const { state, send } = server();
      const outbox = new Outbox({ store: await make(), owner: "me", send, later });
      await outbox.start();
      state.lose_replies = true;
      const id = outbox.add("annotation", ids("a1"), {});
      await settle();
      await outbox.take_back(id, ids("a1"));
      outbox.add("annotation", ids("a1"), {});
      state.lose_replies = false;
      await settle();
      await next_timer();
      await settle();
      expect(state.order).toEqual(["annotation a1", "undo a1", "annotation a1"]);
    });

    it("keeps a refused entry with its reason and goes on with the next", async () => {
      const { state, send } = server();
      const outbox = new Outbox({ store: await make(), owner: "me", send, later });
      await outbox.start();
      state.refuse = true;
      outbox.add("annotation", ids("a1"), {});
      await settle();
      state.refuse = false;
      outbox.add("annotation", ids("a2"), {});
      await settle();
      expect(state.order).toEqual(["annotation a2"]);
      expect(outbox.view().refused[0]?.reason).toBe("no");
      await outbox.retry(outbox.view().refused[0]!.id);
      await settle();
      expect(state.order).toEqual(["annotation a2", "annotation a1"]);
      expect(outbox.view().refused).toEqual([]);
    });

    it("never sends what another person or organisation left", async () => {
      const { state, send } = server();
      const store = await make();
      const mine = new Outbox({ store, owner: "me:org1", send: async () => ({ kind: "later" }), later });
      await mine.start();
      mine.add("annotation", ids("a1"), {});
      await settle();
      mine.stop();
      const other = new Outbox({ store, owner: "me:org2", send, later });
      await other.start();
      await settle();
      expect(state.sent).toBe(0);
      const again = new Outbox({ store, owner: "me:org1", send, later });
      await again.start();
      await settle();
      expect(state.order).toEqual(["annotation a1"]);
    });

    it("waits when nobody is signed in, and goes on afterwards", async () => {
      let signed_in = false;
      const order: string[] = [];
      const outbox = new Outbox({
        store: await make(),
        owner: "me",
        later,
        send: async (e) => {
          if (!signed_in) return { kind: "signed_out" };
          order.push(e.id);
          return { kind: "delivered" };
        },
      });
      await outbox.start();
      outbox.add("annotation", ids("a1"), {});
      await settle();
      expect(outbox.view().signed_out).toBe(true);
      signed_in = true;
      outbox.signed_in_again();
      await settle();
      expect(order.length).toBe(1);
      expect(outbox.view().signed_out).toBe(false);
    });
  });
}
