import { beforeEach, describe, expect, it } from "vitest";
import { add_node, new_conversation, type Conversation } from "../pure/conversation";
import { IndexedChatStore, kMostConversations, MemoryChatStore, type ChatStore } from "./chat_store";

const conversation = (id: string, owner: string, at_ms: number): Conversation => ({
  ...add_node(new_conversation(id, owner, at_ms), {
    id: "n" + id,
    parent: null,
    text: "About " + id,
    at_ms,
    answer: null,
  }),
});

let serial = 0;
for (const [name, make] of [
  ["memory", async () => new MemoryChatStore()],
  ["IndexedDB", () => IndexedChatStore.open("chat-test-" + ++serial)],
] as [string, () => Promise<ChatStore>][])
  describe(name, () => {
    let store: ChatStore;
    beforeEach(async () => {
      store = await make();
    });
    it("lists the newest first, by title, and gives back what was put", async () => {
      await store.put(conversation("a", "me", 1));
      await store.put(conversation("b", "me", 3));
      await store.put({ ...conversation("a", "me", 1), updated_ms: 5, title: "Renamed" });
      expect(await store.list("me")).toEqual([
        { id: "a", title: "Renamed", updated_ms: 5 },
        { id: "b", title: "About b", updated_ms: 3 },
      ]);
      expect((await store.get("me", "b"))!.nodes[0]!.text).toBe("About b");
      expect((await store.all("me")).map((c) => c.id)).toEqual(["a", "b"]);
    });
    it("keeps people apart", async () => {
      await store.put(conversation("a", "me", 1));
      await store.put(conversation("b", "me:too", 1));
      expect(await store.get("you", "a")).toBeNull();
      await store.remove("you", "a");
      await store.clear("you");
      expect((await store.list("me")).length).toBe(1);
      expect(await store.list("you")).toEqual([]);
      await store.remove("me", "a");
      expect(await store.list("me")).toEqual([]);
      expect((await store.list("me:too")).length).toBe(1);
    });
    it("lets the oldest go beyond the bound, of that person alone", async () => {
      await store.put(conversation("other", "you", 0));
      for (let at = 0; at < kMostConversations + 2; at++) await store.put(conversation("c" + at, "me", at));
      const left = await store.list("me");
      expect(left.length).toBe(kMostConversations);
      expect(left.at(-1)!.id).toBe("c2");
      expect((await store.list("you")).length).toBe(1);
      await store.clear("me");
      expect(await store.list("me")).toEqual([]);
    });
  });
