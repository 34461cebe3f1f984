// One question to two models, from the first letter written to the task that the answers became. The
// view reads view(); there is no DOM here.
import { ApiError } from "../api/client";
import type { LiveEvent } from "../pure/live_stream";

export interface LiveView {
  phase: "writing" | "answering" | "ready";
  prompt: string; // of the answers that come
  texts: [string, string];
  done: [boolean, boolean];
  error: string | null; // why the last question got no task
}
export type AskLive = (prompt: string, signal: AbortSignal, on: (event: LiveEvent) => void) => Promise<void>;

const kNothing: LiveView = {
  phase: "writing",
  prompt: "",
  texts: ["", ""],
  done: [false, false],
  error: null,
};

export class LiveQuestion {
  private view_ = kNothing;
  private listeners_ = new Set<() => void>();
  private stop_: AbortController | null = null;

  constructor(
    private readonly ask_: AskLive,
    private readonly ready_: () => void, // the task waits: it is the next one
    private readonly cut_off_ = "The connection ended before both answers were there.",
  ) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners_.add(listener);
    return () => this.listeners_.delete(listener);
  };
  readonly view = (): LiveView => this.view_;

  ask(prompt: string): void {
    if (this.view_.phase === "answering" || prompt.trim() === "") return;
    const stop = (this.stop_ = new AbortController());
    this.show({ ...kNothing, phase: "answering", prompt });
    void this.ask_(prompt, stop.signal, (event) => this.take(event)).then(
      () => this.ended(stop, null),
      (error: unknown) => this.ended(stop, error),
    );
  }

  /** Nobody wants these answers any more: the models stop, and the text can be changed. */
  stop(): void {
    this.stop_?.abort();
    this.stop_ = null;
    if (this.view_.phase === "answering") this.show({ ...kNothing });
  }

  private take(event: LiveEvent): void {
    if (this.view_.phase !== "answering") return;
    const { texts, done } = this.view_;
    if (event.kind === "text")
      this.show({
        texts: event.place === 0 ? [texts[0] + event.text, texts[1]] : [texts[0], texts[1] + event.text],
      });
    else if (event.kind === "done")
      this.show({ done: event.place === 0 ? [true, done[1]] : [done[0], true] });
    else if (event.kind === "ready") {
      this.show({ phase: "ready" });
      this.ready_();
    } else if (event.kind === "problem") this.show({ ...kNothing, error: event.message });
  }

  private ended(stop: AbortController, error: unknown): void {
    if (this.stop_ !== stop) return; // stopped by hand
    this.stop_ = null;
    if (this.view_.phase !== "answering") return;
    const message = error instanceof ApiError || error instanceof Error ? error.message : this.cut_off_;
    this.show({ ...kNothing, error: message });
  }

  private show(change: Partial<LiveView>): void {
    this.view_ = { ...this.view_, ...change };
    for (const listener of this.listeners_) listener();
  }
}
