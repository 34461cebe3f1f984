// An answer as it grows: finished blocks are drawn once, only the last one is drawn again.
import { memo, useMemo } from "react";
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
  const html = useMemo(() => (growing ? passing_html(source) : undefined), [source, growing]);
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
  const html = useMemo(() => (growing ? passing_html(text) : undefined), [text, growing]);
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
