/** Text for terminals: wrapped for people, and harmless whoever wrote it. */

/** Lines of at most `width` characters where words allow it. Lines of `text` stay apart. */
export function wrap(text: string, width: number): readonly string[] {
  return text.split("\n").flatMap((line) => wrapLine(line, width));
}

/**
 * Shows control and format characters instead of sending them: names and messages come from other
 * machines, and an escape sequence among them could rewrite what the operator reads.
 */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return ESCAPES.get(character) ?? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}

/** `a, b, c and 2 more` */
export function firstOf(names: readonly string[], max = 3): string {
  const more = names.length - max;
  const shown = names.slice(0, max).join(", ");
  return more > 0 ? `${shown} and ${more} more` : shown;
}

/** At most so many characters. The end stays, which says more than the middle: of a name it is the workload. */
export function cut(line: string, width: number): string {
  if (line.length <= width) return line;
  const end = Math.max(0, Math.floor(width / 2) - 1);
  return `${line.slice(0, Math.max(0, width - 1 - end))}…${line.slice(line.length - end)}`;
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\n", String.raw`\n`],
  ["\r", String.raw`\r`],
  ["\t", String.raw`\t`],
]);

function wrapLine(line: string, width: number): readonly string[] {
  const lines: string[] = [];
  let current = "";
  for (const word of line.split(" ")) {
    if (current !== "" && current.length + 1 + word.length > width) {
      lines.push(current);
      current = word;
    } else {
      current = current === "" ? word : `${current} ${word}`;
    }
  }
  return [...lines, current];
}
