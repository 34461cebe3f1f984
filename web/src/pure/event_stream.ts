// Server-sent events as the living standard reads them: any piece of text in, whole events out.
// Lines end in LF, CR or CR LF, also when a piece of the network ends between the two.

export interface StreamEvent {
  type: string; // "message" when the server names none
  data: string;
}

/** The longest event that is kept: beyond it the stream is not one of ours. */
export const kMostEventChars = 4_000_000;

export class EventParser {
  private line_ = "";
  private data_: string[] = [];
  private type_ = "";
  private chars_ = 0;
  private after_cr_ = false;
  private first_ = true;

  /** The events that this piece completes. Throws RangeError when one is beyond kMostEventChars. */
  push(piece: string): StreamEvent[] {
    const events: StreamEvent[] = [];
    if (this.first_ && piece !== "") {
      this.first_ = false;
      if (piece.charCodeAt(0) === 0xfeff) piece = piece.slice(1);
    }
    let from = 0;
    if (this.after_cr_ && piece !== "") {
      if (piece[0] === "\n") from = 1;
      this.after_cr_ = false;
    }
    for (let at = from; at < piece.length; at++) {
      const c = piece.charCodeAt(at);
      if (c !== 10 && c !== 13) continue;
      this.end_line(this.line_ + piece.slice(from, at), events);
      this.line_ = "";
      if (c === 13) {
        if (at + 1 === piece.length) this.after_cr_ = true;
        else if (piece[at + 1] === "\n") at++;
      }
      from = at + 1;
    }
    this.line_ += piece.slice(from);
    if (this.line_.length + this.chars_ > kMostEventChars) throw new RangeError("an event is too long");
    return events;
  }

  private end_line(line: string, events: StreamEvent[]): void {
    if (line === "") {
      if (this.data_.length > 0) events.push({ type: this.type_ || "message", data: this.data_.join("\n") });
      this.data_ = [];
      this.type_ = "";
      this.chars_ = 0;
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return; // a comment: keeps the connection alive
    const name = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (name === "data") {
      this.data_.push(value);
      this.chars_ += value.length + 1;
      if (this.chars_ > kMostEventChars) throw new RangeError("an event is too long");
    } else if (name === "event") this.type_ = value;
  }
}
