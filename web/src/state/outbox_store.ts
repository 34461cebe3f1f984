// Where the outbox keeps its entries: IndexedDB, or memory where the browser has none (then a closed
// page loses them, and the page says so). Both behave the same; each call is one transaction.
import { by_order, can_retract, next_entry, type Entry } from "../pure/outbox_queue";

export interface OutboxStore {
  readonly durable: boolean;
  add(entry: Omit<Entry, "order">): Promise<Entry>;
  list(owner: string): Promise<Entry[]>;
  /** The oldest waiting entry, its attempt counted before it is sent. */
  take(owner: string): Promise<Entry | undefined>;
  change(id: string, change: Partial<Entry>): Promise<void>;
  remove(id: string): Promise<void>;
  /** Removes the entry when the server cannot have taken it (never sent, or refused); says whether it did. */
  remove_unsent(id: string): Promise<boolean>;
}

export class MemoryStore implements OutboxStore {
  readonly durable = false;
  private entries_: Entry[] = [];
  private order_ = 0;

  async add(entry: Omit<Entry, "order">): Promise<Entry> {
    const whole = { ...entry, order: ++this.order_ };
    this.entries_.push(whole);
    return whole;
  }
  async list(owner: string): Promise<Entry[]> {
    return this.entries_.filter((e) => e.owner === owner).sort(by_order);
  }
  async take(owner: string): Promise<Entry | undefined> {
    const entry = next_entry(this.entries_, owner);
    if (entry) entry.attempts++;
    return entry && { ...entry };
  }
  async change(id: string, change: Partial<Entry>): Promise<void> {
    this.entries_ = this.entries_.map((e) => (e.id === id ? { ...e, ...change } : e));
  }
  async remove(id: string): Promise<void> {
    this.entries_ = this.entries_.filter((e) => e.id !== id);
  }
  async remove_unsent(id: string): Promise<boolean> {
    const before = this.entries_.length;
    this.entries_ = this.entries_.filter((e) => !(e.id === id && can_retract(e)));
    return this.entries_.length < before;
  }
}

const kDatabase = "hone",
  kEntries = "outbox";

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB"));
  });

export class IndexedStore implements OutboxStore {
  readonly durable = true;
  private constructor(private readonly database_: IDBDatabase) {}

  static open(name = kDatabase): Promise<IndexedStore> {
    return new Promise((resolve, reject) => {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => {
        const store = request.result.createObjectStore(kEntries, { keyPath: "order", autoIncrement: true });
        store.createIndex("id", "id", { unique: true });
        store.createIndex("owner", "owner");
      };
      request.onsuccess = () => resolve(new IndexedStore(request.result));
      request.onerror = () => reject(request.error ?? new Error("IndexedDB"));
      request.onblocked = () => reject(new Error("IndexedDB is blocked"));
    });
  }

  private async within<T>(work: (store: IDBObjectStore) => Promise<T>): Promise<T> {
    const transaction = this.database_.transaction(kEntries, "readwrite");
    const finished = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onerror = transaction.onabort = () => reject(transaction.error ?? new Error("IndexedDB"));
    });
    const result = await work(transaction.objectStore(kEntries));
    await finished;
    return result;
  }

  add(entry: Omit<Entry, "order">): Promise<Entry> {
    return this.within(async (store) => ({ ...entry, order: Number(await done(store.add({ ...entry }))) }));
  }
  list(owner: string): Promise<Entry[]> {
    return this.within(async (store) =>
      ((await done(store.index("owner").getAll(owner))) as Entry[]).sort(by_order),
    );
  }
  take(owner: string): Promise<Entry | undefined> {
    return this.within(async (store) => {
      const entry = next_entry((await done(store.index("owner").getAll(owner))) as Entry[], owner);
      if (!entry) return undefined;
      const taken = { ...entry, attempts: entry.attempts + 1 };
      await done(store.put(taken));
      return taken;
    });
  }
  change(id: string, change: Partial<Entry>): Promise<void> {
    return this.within(async (store) => {
      const entry = (await done(store.index("id").get(id))) as Entry | undefined;
      if (entry) await done(store.put({ ...entry, ...change }));
    });
  }
  remove(id: string): Promise<void> {
    return this.within(async (store) => {
      const key = await done(store.index("id").getKey(id));
      if (key !== undefined) await done(store.delete(key));
    });
  }
  remove_unsent(id: string): Promise<boolean> {
    return this.within(async (store) => {
      const entry = (await done(store.index("id").get(id))) as Entry | undefined;
      if (!can_retract(entry)) return false;
      await done(store.delete(entry!.order));
      return true;
    });
  }
}

export async function open_store(): Promise<OutboxStore> {
  if (typeof indexedDB === "undefined") return new MemoryStore();
  try {
    return await IndexedStore.open();
  } catch {
    return new MemoryStore();
  }
}
