// A light highlighter: comments, strings, numbers, words of the language. One expression for all
// languages that people paste; wrong colours now and then, never wrong text.
export interface Token {
  kind: "plain" | "comment" | "string" | "number" | "keyword";
  text: string;
}

const kKeywords = new Set(
  (
    "abstract and as async await bool boolean break case catch char class const constexpr continue def default del delete do double elif else enum " +
    "except export extends extern false final finally float fn for from func function global go if impl implements import in instanceof int interface is lambda let long " +
    "match mod mut namespace new nil None not null or override package pass private protected pub public raise return self short signed sizeof static string struct super " +
    "switch template this throw trait true True False try type typeof undefined union unsafe unsigned use using var virtual void where while with yield " +
    "SELECT FROM WHERE JOIN ON GROUP BY ORDER INSERT INTO UPDATE SET DELETE CREATE TABLE AND OR NOT AS LIMIT"
  ).split(" "),
);

const kHashComments = new Set([
  "py",
  "python",
  "sh",
  "bash",
  "ruby",
  "rb",
  "yaml",
  "yml",
  "toml",
  "r",
  "perl",
  "make",
  "dockerfile",
]);

export function code_tokens(code: string, language = ""): Token[] {
  const hash =
    kHashComments.has(language.toLowerCase()) ||
    (language === "" && /^\s*(def |import |#!|# )/m.test(code) && !/#include/.test(code));
  const comment = hash ? "#[^\\n]*" : "//[^\\n]*|/\\*[\\s\\S]*?(?:\\*/|$)";
  const pattern = new RegExp(
    `(${comment})|("(?:\\\\.|[^"\\\\\\n])*"?|'(?:\\\\.|[^'\\\\\\n])*'?|\`(?:\\\\.|[^\`\\\\])*\`?)|(\\b\\d[\\w.]*)|([A-Za-z_]\\w*)`,
    "g",
  );
  const tokens: Token[] = [];
  let last = 0;
  const push = (kind: Token["kind"], text: string) => {
    const before = tokens[tokens.length - 1];
    if (before && before.kind === kind && kind === "plain") before.text += text;
    else if (text) tokens.push({ kind, text });
  };
  for (const match of code.matchAll(pattern)) {
    push("plain", code.slice(last, match.index));
    const kind =
      match[1] !== undefined
        ? "comment"
        : match[2] !== undefined
          ? "string"
          : match[3] !== undefined
            ? "number"
            : kKeywords.has(match[0])
              ? "keyword"
              : "plain";
    push(kind, match[0]);
    last = match.index + match[0].length;
  }
  push("plain", code.slice(last));
  return tokens;
}
