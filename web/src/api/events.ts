// Server-sent events of the organisation: what changed, by id. The page asks again for it.
//
// A browser opens six connections to a server and no more, and a stream holds one for as long as its
// page is open: with a stream for every tab the seventh would wait for ever. So one tab listens and
// tells the others. Where a browser cannot agree on one (no locks: plain http beyond this machine),
// a tab listens while it is in sight.
import { url_of } from "./client";

const kTypes = ["run", "job", "project", "model", "alias"] as const;
type EventType = (typeof kTypes)[number];
type OnEvent = (type: EventType, id: string) => void;
const kName = "hone-events";

export function listen(on: OnEvent): () => void {
  if (typeof EventSource === "undefined") return () => {};
  return typeof navigator.locks === "undefined" || typeof BroadcastChannel === "undefined"
    ? listen_in_sight(on)
    : listen_for_all(on);
}

function open_stream(on: OnEvent): EventSource {
  const source = new EventSource(url_of("/events"));
  for (const type of kTypes) {
    source.addEventListener(type, (event) => {
      try {
        const data = JSON.parse((event as MessageEvent<string>).data) as { id?: string };
        if (data.id) on(type, data.id);
      } catch {
        /* an event of a newer server */
      }
    });
  }
  return source;
}

function listen_for_all(on: OnEvent): () => void {
  const channel = new BroadcastChannel(kName);
  channel.onmessage = (event: MessageEvent<{ type: EventType; id: string }>) =>
    on(event.data.type, event.data.id);
  const stopping = new AbortController();
  navigator.locks
    .request(kName, { signal: stopping.signal }, () => {
      const source = open_stream((type, id) => {
        on(type, id);
        channel.postMessage({ type, id });
      });
      return new Promise<void>((done) => {
        const stop = () => {
          source.close();
          done();
        };
        if (stopping.signal.aborted) stop();
        else stopping.signal.addEventListener("abort", stop);
      });
    })
    .catch(() => undefined); // left before its turn came
  return () => {
    stopping.abort();
    channel.close();
  };
}

function listen_in_sight(on: OnEvent): () => void {
  let source: EventSource | null = null;
  const look = () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else source ??= open_stream(on);
  };
  look();
  document.addEventListener("visibilitychange", look);
  return () => {
    document.removeEventListener("visibilitychange", look);
    source?.close();
  };
}
