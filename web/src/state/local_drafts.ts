// Drafts that the server could not take: kept in the browser until it can, at most a few.
export interface LocalDrafts<T> {
  keep(id: string, draft: T): void;
  get(id: string): T | null;
  drop(id: string): void;
}

const kMost = 20;
export function local_drafts<T>(
  owner: string,
  storage: Pick<Storage, "getItem" | "setItem"> | null,
): LocalDrafts<T> {
  const key = "hone.drafts." + owner;
  const read = (): [string, T][] => {
    try {
      const list = JSON.parse(storage?.getItem(key) ?? "[]") as [string, T][];
      return Array.isArray(list) ? list : [];
    } catch {
      return [];
    }
  };
  const write = (list: [string, T][]) => {
    try {
      storage?.setItem(key, JSON.stringify(list.slice(-kMost)));
    } catch {
      /* storage may be off or full */
    }
  };
  return {
    keep: (id, draft) => write([...read().filter(([one]) => one !== id), [id, draft]]),
    get: (id) => read().find(([one]) => one === id)?.[1] ?? null,
    drop: (id) => {
      const list = read(),
        rest = list.filter(([one]) => one !== id);
      if (rest.length < list.length) write(rest);
    },
  };
}
