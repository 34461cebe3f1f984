import { render } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { difference_html, Markdown } from "./markdown";

const shown = (text: string) => render(<Markdown text={text} />).container;

describe("text of strangers", () => {
  const corpus = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](data:text/html,<script>alert(1)</script>)",
    "![a](http://elsewhere.example/pixel.png)",
    "<iframe src=//elsewhere.example></iframe>",
    '<a href="javascript:alert(1)">x</a>',
    "<style>*{display:none}</style>",
    '<div style="position:fixed;inset:0">x</div>',
    '<math><mi//xlink:href="data:x,<script>alert(4)</script>">',
    "`<img src=x onerror=alert(1)>`",
    "```html\n<script>alert(1)</script>\n```",
    "<form action=//elsewhere.example><input name=p></form>",
    "<!--><script>alert(1)</script>",
    "a\u0000<b>",
    "[x]: javascript:alert(1)\n\n[x]",
    "<details open ontoggle=alert(1)>",
    "<base href=//elsewhere.example>",
    "<meta http-equiv=refresh content=0>",
    "| a |\n|---|\n| <img src=x onerror=alert(1)> |",
  ];
  it("wide code can be scrolled by keyboard; a list goes on with its number", () => {
    const box = shown("```\ncode\n```\n\n3. three");
    expect(box.querySelector("pre")!.getAttribute("tabindex")).toBe("0");
    expect(box.querySelector("ol")!.getAttribute("start")).toBe("3");
  });
  it("runs nothing, loads nothing, styles nothing", () => {
    for (const text of corpus) {
      const box = shown(text);
      expect(
        box.querySelector("script,img,svg,iframe,style,form,input,object,embed,base,meta,link,math"),
        text,
      ).toBeNull();
      for (const element of box.querySelectorAll("*")) {
        for (const { name, value } of element.attributes) {
          expect(/^on|^style$|^src/.test(name), `${text} → ${name}`).toBe(false);
          if (name === "href") expect(/^(https?|mailto):/i.test(value), `${text} → ${value}`).toBe(true);
        }
      }
    }
  });
  it("is read as it was written", () => {
    expect(shown("a <b>bold</b> move").textContent).toBe("a <b>bold</b> move\n");
    expect(shown("![cat](http://x.example/c.png)").textContent).toContain("[cat: http://x.example/c.png]");
    expect(shown("```python\nreturn 1 # <x>\n```").querySelector("code")?.textContent).toBe("return 1 # <x>");
  });
  it("opens links elsewhere, without saying where from", () => {
    const link = shown("[site](https://example.org)").querySelector("a")!;
    expect(link.getAttribute("rel")).toContain("noopener");
    expect(link.getAttribute("target")).toBe("_blank");
  });
});

describe("differences", () => {
  const marks = (html: string) => [...html.matchAll(/<mark>(.*?)<\/mark>/g)].map((m) => m[1]);
  it("are marked in the text that is seen, across markup", () => {
    const [left, right] = difference_html("The **quick** brown fox", "The **slow** brown fox jumps");
    expect(marks(left)).toEqual(["quick"]);
    expect(marks(right)).toEqual(["slow", "jumps"]);
    expect(left).toContain("<strong><mark>quick</mark></strong>");
  });
  it("change no text and stay safe", () => {
    for (const [a, b] of [
      ["<i>x</i> y", "y <script>z</script>"],
      ["# Head\n\n- a\n- b", "# Heads\n\n- b\n- c"],
      ["", "all new"],
    ] as const) {
      const [left, right] = difference_html(a, b);
      const box = document.createElement("div");
      box.innerHTML = right;
      expect(box.querySelector("script")).toBeNull();
      expect(box.textContent).toBe(shown(b).textContent);
      box.innerHTML = left;
      expect(box.textContent).toBe(shown(a).textContent);
    }
  });
});
