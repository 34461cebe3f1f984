// Text of strangers as safe HTML: marked writes it (raw HTML becomes text), DOMPurify lets through
// only what prose needs, links open elsewhere without a referrer, images are named, never loaded.
import DOMPurify from "dompurify";
import { Marked } from "marked";
import { memo, useMemo } from "react";
import { code_tokens } from "../pure/code_tokens";
import { differences, type Range } from "../pure/diff";

const escape = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const kMostChars = 200_000;

const marked = new Marked({ gfm: true, breaks: true, async: false });
marked.use({
  renderer: {
    html: ({ text }) => escape(text),
    image: ({ href, text }) => escape(`[${text || "image"}: ${href}]`),
    code: ({ text, lang }) => {
      const body = code_tokens(text, (lang ?? "").trim().split(/\s+/)[0])
        .map((t) =>
          t.kind === "plain" ? escape(t.text) : `<span class="tok-${t.kind}">${escape(t.text)}</span>`,
        )
        .join("");
      return `<pre tabindex="0"><code>${body}</code></pre>`;
    },
  },
});

const kPolicy = {
  ALLOWED_TAGS: [
    "p",
    "br",
    "strong",
    "em",
    "del",
    "code",
    "pre",
    "span",
    "ul",
    "ol",
    "li",
    "blockquote",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "hr",
    "a",
  ],
  ALLOWED_ATTR: ["href", "class", "start", "tabindex"],
  ADD_URI_SAFE_ATTR: ["start", "tabindex"], // numbers: else they would be held to be bad addresses
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: true as const,
};

const fragments = new Map<string, DocumentFragment>();
const kMostFragments = 80;

function make_fragment(text: string): DocumentFragment {
  const fragment = DOMPurify.sanitize(
    marked.parse(text.slice(0, kMostChars)) as string,
    kPolicy,
  ) as unknown as DocumentFragment;
  for (const link of fragment.querySelectorAll("a")) {
    link.setAttribute("target", "_blank");
    link.setAttribute("rel", "noopener noreferrer nofollow");
  }
  for (const head of fragment.querySelectorAll("h1,h2,h3,h4,h5,h6"))
    head.setAttribute("role", "presentation");
  return fragment;
}

function fragment_of(text: string): DocumentFragment {
  const kept = fragments.get(text);
  if (kept) return kept;
  const fragment = make_fragment(text);
  if (fragments.size >= kMostFragments) fragments.delete(fragments.keys().next().value!);
  fragments.set(text, fragment);
  return fragment;
}

/** Renders now what will be shown soon. */
export const warm = (text: string): void => {
  fragment_of(text);
};

function html_of(fragment: DocumentFragment, marks: Range[]): string {
  const box = document.createElement("div");
  box.append(fragment.cloneNode(true));
  if (marks.length) mark_ranges(box, marks);
  return box.innerHTML;
}

function text_nodes(root: Node): Text[] {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const nodes: Text[] = [];
  while (walker.nextNode()) nodes.push(walker.currentNode as Text);
  return nodes;
}
const visible_text = (root: Node): string =>
  text_nodes(root)
    .map((n) => n.data)
    .join("");

function mark_ranges(root: HTMLElement, marks: Range[]): void {
  let at = 0,
    next = 0;
  for (const node of text_nodes(root)) {
    const from = at,
      to = at + node.data.length;
    at = to;
    let rest = node,
      done = from;
    while (next < marks.length && marks[next]!.from < to) {
      const mark = marks[next]!,
        begin = Math.max(mark.from, done),
        end = Math.min(mark.to, to);
      if (end > begin) {
        const middle = rest.splitText(begin - done);
        rest = middle.splitText(end - begin);
        const element = document.createElement("mark");
        middle.replaceWith(element);
        element.append(middle);
        done = end;
      }
      if (mark.to > to) break;
      next++;
    }
  }
}

/** The HTML of a text that grows: it is shown once, so nothing of it is kept. */
export const passing_html = (text: string): string => html_of(make_fragment(text), []);

/** The HTML of two texts with the words marked that the other has not. */
export function difference_html(left: string, right: string): [string, string] {
  const a = fragment_of(left),
    b = fragment_of(right);
  const [marks_a, marks_b] = differences(visible_text(a), visible_text(b));
  return [html_of(a, marks_a), html_of(b, marks_b)];
}

export const Markdown = memo(function Markdown({
  text,
  html,
  className = "",
}: {
  text: string;
  html?: string | undefined;
  className?: string;
}) {
  const inner = useMemo(() => ({ __html: html ?? html_of(fragment_of(text), []) }), [text, html]);
  return <div className={"prose " + className} dangerouslySetInnerHTML={inner} />;
});
