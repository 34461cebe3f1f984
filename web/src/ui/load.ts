// A screen's code, fetched when it is first opened. A connection that hiccups is asked again; a server
// that has been replaced has other files, so the page is loaded again, once.
import { lazy, type ComponentType, type LazyExoticComponent } from "react";

const kTries = 3;
const kWaitMs = 400;
const kReloadedKey = "hone.reloaded_at_ms";

export async function patiently<T>(fetch_code: () => Promise<T>, wait_ms = kWaitMs): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await fetch_code();
    } catch (error) {
      if (tries < kTries) {
        await new Promise((resolve) => setTimeout(resolve, wait_ms * tries));
        continue;
      }
      reload_once();
      throw error;
    }
  }
}

function reload_once(): void {
  try {
    const last = Number(sessionStorage.getItem(kReloadedKey) ?? 0);
    if (Date.now() - last < 60_000) return;
    sessionStorage.setItem(kReloadedKey, String(Date.now()));
    window.location.reload();
  } catch {
    /* without storage nobody could tell the second time from the first */
  }
}

export const screen = <T extends ComponentType<any>>(
  fetch_code: () => Promise<{ default: T }>,
): LazyExoticComponent<T> => lazy(() => patiently(fetch_code));
