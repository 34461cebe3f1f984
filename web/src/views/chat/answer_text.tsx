// An answer as it grows: finished blocks are drawn once, only the last one is drawn again.
import { memo, useMemo, useRef } from "react";
import { t } from "../../messages";
import { fenced, text_blocks, type Block } from "../../pure/text_blocks";
import { toast } from "../../state/toasts";
import { copy_text } from "../../ui/copy";
import { Markdown, passing_html } from "../../ui/markdown";

export const copy_and_say = (text: string): void =>
  void copy_text(text).then((worked) =>
    worked
      ? toast(t.chat.copied, { kind: "good", life_ms: 1500, slot: "copy" })
      : toast(t.chat.cannot_copy, { kind: "bad", slot: "copy" }),
  );

/** The HTML of the block that grows. One that has become long is drawn less often, so that a frame
 * stays free: at most a third of the time goes into it. What is finished is drawn by Markdown itself. */
function useGrowing(text: string, growing: boolean): string | undefined {
  const drawn = useRef({ html: "", at_ms: 0, cost_ms: 0 });
  return useMemo(() => {
    if (!growing) return undefined;
    const before = drawn.current,
      begun = performance.now();
    if (before.cost_ms > 4 && begun - before.at_ms < 3 * before.cost_ms) return before.html;
    const html = passing_html(text);
    drawn.current = { html, at_ms: begun, cost_ms: performance.now() - begun };
    return html;
  }, [text, growing]);
}

const Code = memo(function Code({
  text,
  language,
  growing,
}: {
  text: string;
  language: string;
  growing: boolean;
}) {
  const source = fenced({ kind: "code", text, language });
  const html = useGrowing(source, growing);
  return (
    <div className="code-block">
      <header>
        <span className="mono">{language}</span>
        <button type="button" className="btn quiet slim" onClick={() => copy_and_say(text)}>
          {t.chat.copy_code}
        </button>
      </header>
      <Markdown text={source} html={html} />
    </div>
  );
});
const Prose = memo(function Prose({ text, growing }: { text: string; growing: boolean }) {
  const html = useGrowing(text, growing);
  return <Markdown text={text} html={html} />;
});

export const AnswerText = memo(function AnswerText({ text, growing }: { text: string; growing: boolean }) {
  const blocks = useMemo(() => text_blocks(text), [text]);
  const draw = (block: Block, at: number) => {
    const last = growing && at === blocks.length - 1;
    return block.kind === "code" ? (
      <Code key={at} text={block.text} language={block.language} growing={last} />
    ) : (
      <Prose key={at} text={block.text} growing={last} />
    );
  };
  return <div className={"answer-text" + (growing ? " growing" : "")}>{blocks.map(draw)}</div>;
});
