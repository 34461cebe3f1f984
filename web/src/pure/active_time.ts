// How long somebody really worked on a task: time counts while the page is visible and the last
// input is less than a minute old. Takes the clock as numbers, so that it can be replayed.

export const kIdleAfterMs = 60_000;

export class ActiveTime {
  private total_ms_ = 0;
  private since_ms_: number; // counted up to here
  private last_input_ms_: number;
  private visible_: boolean;

  constructor(now_ms: number, visible = true) {
    this.since_ms_ = this.last_input_ms_ = now_ms;
    this.visible_ = visible;
  }

  private count(now_ms: number): void {
    if (now_ms < this.since_ms_) now_ms = this.since_ms_; // a clock set back counts nothing
    const until = Math.min(now_ms, this.last_input_ms_ + kIdleAfterMs);
    if (this.visible_ && until > this.since_ms_) this.total_ms_ += until - this.since_ms_;
    this.since_ms_ = now_ms;
  }

  input(now_ms: number): void {
    this.count(now_ms);
    this.last_input_ms_ = Math.max(this.last_input_ms_, now_ms);
  }

  show(now_ms: number): void {
    this.count(now_ms);
    this.visible_ = true;
    this.last_input_ms_ = now_ms; // coming back is an act
  }

  hide(now_ms: number): void {
    this.count(now_ms);
    this.visible_ = false;
  }

  /** Whether somebody is at work now. */
  active(now_ms: number): boolean {
    return this.visible_ && now_ms - this.last_input_ms_ < kIdleAfterMs;
  }

  total_ms(now_ms: number): number {
    this.count(now_ms);
    return Math.round(this.total_ms_);
  }
}
