// Server-sent events of the organisation: what changed, by id. The page asks again for it.
import { url_of } from "./client";

export function listen(on: (type: "run" | "job" | "project", id: string) => void): () => void {
  if (typeof EventSource === "undefined") return () => {};
  const source = new EventSource(url_of("/events"));
  for (const type of ["run", "job", "project"] as const) {
    source.addEventListener(type, (event) => {
      try {
        const data = JSON.parse((event as MessageEvent<string>).data) as { id?: string };
        if (data.id) on(type, data.id);
      } catch {
        /* an event of a newer server */
      }
    });
  }
  return () => source.close();
}
