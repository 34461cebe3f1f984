// Conversations, kept in this browser (IndexedDB, or memory where there is none) and nowhere else.
// Each person of each organisation sees their own; the newest kMostConversations stay.
import { settled, type Conversation } from "../pure/conversation";

export interface Summary {
  id: string;
  title: string;
  updated_ms: number;
}
export interface ChatStore {
  readonly durable: boolean;
  /** Newest first. */
  list(owner: string): Promise<Summary[]>;
  get(owner: string, id: string): Promise<Conversation | null>;
  all(owner: string): Promise<Conversation[]>;
  put(conversation: Conversation): Promise<void>;
  remove(owner: string, id: string): Promise<void>;
  clear(owner: string): Promise<void>;
}
export const kMostConversations = 200;

const newest_first = (a: { updated_ms: number }, b: { updated_ms: number }) => b.updated_ms - a.updated_ms;
const summary = ({ id, title, updated_ms }: Conversation): Summary => ({ id, title, updated_ms });

export class MemoryChatStore implements ChatStore {
  readonly durable = false;
  private kept_ = new Map<string, Conversation>();
  private of(owner: string): Conversation[] {
    return [...this.kept_.values()].filter((c) => c.owner === owner).sort(newest_first);
  }
  async list(owner: string) {
    return this.of(owner).map(summary);
  }
  async get(owner: string, id: string) {
    const found = this.kept_.get(id);
    return found?.owner === owner ? found : null;
  }
  async all(owner: string) {
    return this.of(owner);
  }
  async put(conversation: Conversation) {
    this.kept_.set(conversation.id, conversation);
    for (const old of this.of(conversation.owner).slice(kMostConversations)) this.kept_.delete(old.id);
  }
  async remove(owner: string, id: string) {
    if (this.kept_.get(id)?.owner === owner) this.kept_.delete(id);
  }
  async clear(owner: string) {
    for (const c of this.of(owner)) this.kept_.delete(c.id);
  }
}

const kDatabase = "hone-chat",
  kTable = "conversations";
const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB"));
  });

export class IndexedChatStore implements ChatStore {
  readonly durable = true;
  private constructor(private readonly database_: IDBDatabase) {}

  static open(name = kDatabase): Promise<IndexedChatStore> {
    return new Promise((resolve, reject) => {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => {
        const table = request.result.createObjectStore(kTable, { keyPath: "id" });
        table.createIndex("owner", ["owner", "updated_ms", "title"]);
      };
      request.onsuccess = () => resolve(new IndexedChatStore(request.result));
      request.onerror = () => reject(request.error ?? new Error("IndexedDB"));
      request.onblocked = () => reject(new Error("IndexedDB is blocked"));
    });
  }
  private table(mode: IDBTransactionMode): IDBObjectStore {
    return this.database_.transaction(kTable, mode).objectStore(kTable);
  }
  private range(owner: string): IDBKeyRange {
    return IDBKeyRange.bound([owner], [owner, []]);
  }
  // From the index alone: a list of titles does not read the conversations.
  list(owner: string): Promise<Summary[]> {
    return new Promise((resolve, reject) => {
      const found: Summary[] = [];
      const request = this.table("readonly").index("owner").openKeyCursor(this.range(owner), "prev");
      request.onerror = () => reject(request.error ?? new Error("IndexedDB"));
      request.onsuccess = () => {
        const cursor = request.result;
        if (!cursor) return resolve(found);
        const [, updated_ms, title] = cursor.key as [string, number, string];
        found.push({ id: String(cursor.primaryKey), title, updated_ms });
        cursor.continue();
      };
    });
  }
  async get(owner: string, id: string) {
    const found = (await done(this.table("readonly").get(id))) as Conversation | undefined;
    return found?.owner === owner ? settled(found) : null;
  }
  async all(owner: string) {
    const found = (await done(
      this.table("readonly").index("owner").getAll(this.range(owner)),
    )) as Conversation[];
    return found.sort(newest_first).map(settled);
  }
  async put(conversation: Conversation) {
    await done(this.table("readwrite").put(conversation));
    for (const old of (await this.list(conversation.owner)).slice(kMostConversations))
      await done(this.table("readwrite").delete(old.id));
  }
  async remove(owner: string, id: string) {
    if (await this.get(owner, id)) await done(this.table("readwrite").delete(id));
  }
  async clear(owner: string) {
    for (const one of await this.list(owner)) await done(this.table("readwrite").delete(one.id));
  }
}

let opened: Promise<ChatStore> | null = null;
export const open_chat_store = (): Promise<ChatStore> =>
  (opened ??= IndexedChatStore.open().catch((): ChatStore => new MemoryChatStore()));
