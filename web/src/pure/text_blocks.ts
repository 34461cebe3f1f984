// A growing markdown text as blocks: all but the last are finished and are drawn once. A fence is a
// block of its own; other blocks end at an empty line where a new paragraph begins.

export interface Block {
  kind: "prose" | "code";
  text: string; // markdown of the block, of a code block without its fences
  language: string;
}

const kFence = /^ {0,3}(`{3,}|~{3,})\s*([^`]*)$/;
const kListItem = /^\s{0,3}(?:[-*+]|\d{1,9}[.)])\s/;

export function text_blocks(text: string): Block[] {
  const blocks: Block[] = [];
  let prose: string[] = [];
  const end_prose = () => {
    const whole = prose.join("\n").replace(/^\n+|\s+$/g, "");
    if (whole.trim() !== "") blocks.push({ kind: "prose", text: whole, language: "" });
    prose = [];
  };
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    const fence = kFence.exec(line);
    if (fence) {
      end_prose();
      const mark = fence[1]!;
      const end = new RegExp(`^ {0,3}\\${mark[0]}{${mark.length},}\\s*$`);
      const code: string[] = [];
      for (at++; at < lines.length && !end.test(lines[at]!); at++) code.push(lines[at]!);
      blocks.push({
        kind: "code",
        text: code.join("\n"),
        language: (fence[2] ?? "").trim().split(/\s+/)[0]!.slice(0, 30),
      });
      continue;
    }
    const fresh = prose.length > 0 && prose[prose.length - 1]!.trim() === "" && line.trim() !== "";
    if (fresh && !/^\s/.test(line) && !(kListItem.test(line) && prose.some((l) => kListItem.test(l))))
      end_prose();
    prose.push(line);
  }
  end_prose();
  return blocks;
}

/** The code as markdown again, in a fence that it does not contain. */
export function fenced(block: Block): string {
  const longest = Math.max(2, ...[...block.text.matchAll(/`+/g)].map((m) => m[0].length));
  const mark = "`".repeat(longest + 1);
  return `${mark}${block.language}\n${block.text}\n${mark}`;
}
