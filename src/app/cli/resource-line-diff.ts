/** Two texts as a unified diff (POSIX diff -u): what is the same in both stands around what is not. */

interface Line {
  readonly sign: " " | "-" | "+";
  readonly text: string;
}

const contextLines = 3;
/** Of the table of common lines; larger texts are shown as one taken away and one added. */
const cellsMax = 4_000_000;

/** Without its two head lines; "" for equal texts. */
export function unifiedDiff(before: string, after: string): string {
  const lines = diffLines(linesOf(before), linesOf(after));
  const changed = lines.flatMap(({ sign }, index) => (sign === " " ? [] : [index]));
  const hunks: { start: number; end: number }[] = [];
  for (const index of changed) {
    const last = hunks.at(-1);
    const start = Math.max(0, index - contextLines);
    const end = Math.min(lines.length, index + contextLines + 1);
    if (last !== undefined && start <= last.end) last.end = end;
    else hunks.push({ start, end });
  }
  return hunks.map(({ start, end }) => hunkText(lines, start, end)).join("");
}

function hunkText(lines: readonly Line[], start: number, end: number): string {
  const count = (from: number, to: number, other: Line["sign"]): number =>
    lines.slice(from, to).filter(({ sign }) => sign !== other).length;
  const range = (other: Line["sign"]): string => {
    const length = count(start, end, other);
    const first = count(0, start, other) + (length === 0 ? 0 : 1);
    return length === 1 ? String(first) : `${first},${length}`;
  };
  const body = lines.slice(start, end).map(({ sign, text }) => `${sign}${text}\n`);
  return `@@ -${range("+")} +${range("-")} @@\n${body.join("")}`;
}

function diffLines(before: readonly string[], after: readonly string[]): readonly Line[] {
  let head = 0;
  while (head < before.length && before[head] === after[head]) head++;
  let tail = 0;
  const room = Math.min(before.length, after.length) - head;
  while (tail < room && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const middle = between(
    before.slice(head, before.length - tail),
    after.slice(head, after.length - tail),
  );
  const same = (texts: readonly string[]): readonly Line[] =>
    texts.map((text) => ({ sign: " ", text }));
  return [...same(before.slice(0, head)), ...middle, ...same(before.slice(before.length - tail))];
}

/** By the longest common subsequence. */
function between(before: readonly string[], after: readonly string[]): readonly Line[] {
  const width = after.length + 1;
  const isSmall = (before.length + 1) * width <= cellsMax;
  const common = isSmall ? commonLengths(before, after) : undefined;
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    const [left = "", right = ""] = [before[i], after[j]];
    if (common !== undefined && i < before.length && j < after.length && left === right) {
      lines.push({ sign: " ", text: left });
      i++;
      j++;
      continue;
    }
    const down = common?.[(i + 1) * width + j] ?? 0;
    const across = common?.[i * width + j + 1] ?? 0;
    if (i < before.length && (j >= after.length || down >= across)) {
      lines.push({ sign: "-", text: left });
      i++;
    } else {
      lines.push({ sign: "+", text: right });
      j++;
    }
  }
  return lines;
}

/** Of what follows each pair of places. */
function commonLengths(before: readonly string[], after: readonly string[]): Uint32Array {
  const width = after.length + 1;
  const lengths = new Uint32Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      const at = i * width + j;
      const [down = 0, across = 0, both = 0] = [
        lengths[at + width],
        lengths[at + 1],
        lengths[at + width + 1],
      ];
      lengths[at] = before[i] === after[j] ? both + 1 : Math.max(down, across);
    }
  }
  return lengths;
}

function linesOf(text: string): readonly string[] {
  if (text === "") return [];
  return (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n");
}
