/**
 * What the scripts for bash and zsh share. Both find the verb in the words before the cursor as one
 * text, each word with a space before it (` token mint`), and branch on it.
 */

import type { CompletedFlag, CompletionWords } from "./words.ts";

export function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** The text of a verb, a noun, or (empty) of neither. */
export function pathText(path: readonly string[]): string {
  return path.map((word) => ` ${word}`).join("");
}

/** Case pattern of the texts by which a verb is found, word by word. */
export function pathPattern({ verbs }: CompletionWords): string {
  const texts = verbs.flatMap(({ path }) => {
    return path.map((_, depth) => pathText(path.slice(0, depth + 1)));
  });
  return [...new Set(texts)].map(quote).join(" | ");
}

/** Case pattern of "the word before the cursor is this flag of this verb". */
export function flagPattern(path: readonly string[], { name, short }: CompletedFlag): string {
  const spellings = short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`];
  return spellings.map((spelling) => quote(`${pathText(path)} ${spelling}`)).join(" | ");
}
