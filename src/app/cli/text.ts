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
