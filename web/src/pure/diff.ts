// Word differences of two texts: which words of each are not in a longest common subsequence.
// Myers' O(ND) search, bounded: beyond kMaxEdits the texts are called different from the first
// unequal word to the last, which is what a reader would see anyway.

export interface Word {
  text: string;
  from: number;
  to: number;
}
export interface Range {
  from: number;
  to: number;
}

const kMaxEdits = 1500;
const kMaxWords = 8000;

/** Words and single marks with their places; space between them is not compared. */
export function words_of(text: string): Word[] {
  const found: Word[] = [];
  for (const match of text.matchAll(/[\p{L}\p{N}_'’]+|[^\s\p{L}\p{N}_'’]/gu)) {
    if (found.length >= kMaxWords) break;
    found.push({ text: match[0], from: match.index, to: match.index + match[0].length });
  }
  return found;
}

/** For each word whether it is kept (in both texts). */
export function kept_words(left: string[], right: string[]): [boolean[], boolean[]] {
  const keep_left = new Array<boolean>(left.length).fill(false);
  const keep_right = new Array<boolean>(right.length).fill(false);
  let start = 0,
    end_left = left.length,
    end_right = right.length;
  while (start < end_left && start < end_right && left[start] === right[start]) {
    keep_left[start] = keep_right[start] = true;
    start++;
  }
  while (end_left > start && end_right > start && left[end_left - 1] === right[end_right - 1])
    keep_left[--end_left] = keep_right[--end_right] = true;
  const a = left.slice(start, end_left),
    b = right.slice(start, end_right);
  for (const [i, j] of matches(a, b)) keep_left[start + i] = keep_right[start + j] = true;
  return [keep_left, keep_right];
}

function matches(a: string[], b: string[]): [number, number][] {
  const n = a.length,
    m = b.length,
    most = Math.min(n + m, kMaxEdits);
  if (n === 0 || m === 0) return [];
  let frontier = new Int32Array(2 * most + 3);
  const offset = most + 1;
  const trace: Int32Array[] = [];
  for (let d = 0; d <= most; d++) {
    trace.push(frontier.slice());
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && frontier[offset + k - 1]! < frontier[offset + k + 1]!);
      let x = down ? frontier[offset + k + 1]! : frontier[offset + k - 1]! + 1;
      let y = x - k;
      while (x < n && y < m && a[x] === b[y]) {
        x++;
        y++;
      }
      frontier[offset + k] = x;
      if (x >= n && y >= m) return walk_back(trace, n, m, d, offset);
    }
  }
  return [];
}

function walk_back(
  trace: Int32Array[],
  n: number,
  m: number,
  edits: number,
  offset: number,
): [number, number][] {
  const pairs: [number, number][] = [];
  let x = n,
    y = m;
  for (let d = edits; d > 0; d--) {
    const before = trace[d]!;
    const k = x - y;
    const down = k === -d || (k !== d && before[offset + k - 1]! < before[offset + k + 1]!);
    const from_k = down ? k + 1 : k - 1;
    const from_x = before[offset + from_k]!,
      from_y = from_x - from_k;
    while (x > from_x && y > from_y && x > 0 && y > 0 && x - 1 >= (down ? from_x : from_x + 1))
      pairs.push([--x, --y]);
    x = from_x;
    y = from_y;
  }
  while (x > 0 && y > 0) pairs.push([--x, --y]);
  return pairs;
}

/** Places in each text that the other does not have; neighbouring words are joined. A lone short word
 *  that both have between long runs they have not ("it", "a", ".") is joined in: it tells nobody anything. */
export function differences(left: string, right: string): [Range[], Range[]] {
  const a = words_of(left),
    b = words_of(right);
  const [keep_a, keep_b] = kept_words(
    a.map((w) => w.text),
    b.map((w) => w.text),
  );
  return [ranges(a, without_crumbs(a, keep_a)), ranges(b, without_crumbs(b, keep_b))];
}

const kCrumb = 3,
  kAround = 3;
function without_crumbs(list: Word[], keep: boolean[]): boolean[] {
  const result = [...keep];
  for (let at = 0; at < keep.length; at++) {
    if (!keep[at] || list[at]!.text.length > kCrumb) continue;
    let before = 0,
      after = 0;
    while (before < kAround && at - before - 1 >= 0 && !keep[at - before - 1]) before++;
    while (after < kAround && at + after + 1 < keep.length && !keep[at + after + 1]) after++;
    if (before === kAround && after === kAround) result[at] = false;
  }
  return result;
}

function ranges(list: Word[], keep: boolean[]): Range[] {
  const found: Range[] = [];
  let joined = false;
  list.forEach((word, at) => {
    if (keep[at]) {
      joined = false;
      return;
    }
    const last = found[found.length - 1];
    if (joined && last) last.to = word.to;
    else found.push({ from: word.from, to: word.to });
    joined = true;
  });
  return found;
}
