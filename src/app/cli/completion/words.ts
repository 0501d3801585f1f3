/**
 * What the completion scripts of all shells are made from: the verbs with their flags and
 * arguments, loaded.
 */

import type { Command, CommandEntry, Registry } from "../command.ts";

/** What may stand at a place; `free` is known to the user only. */
export type Candidates =
  | { readonly kind: "choices"; readonly choices: readonly string[] }
  | { readonly kind: "file" }
  | { readonly kind: "directory" }
  | { readonly kind: "free" };

export interface CompletedFlag {
  readonly name: string;
  readonly short: string | undefined;
  readonly help: string;
  /** Undefined for a flag that takes no value. */
  readonly value: Candidates | undefined;
}

export interface CompletedVerb {
  readonly path: readonly string[];
  readonly flags: readonly CompletedFlag[];
  /**
   * Of the first argument; which argument the cursor is at is more than a shell script should find
   * out.
   */
  readonly argument: Candidates;
}

/** The top (`[]`) or a noun, and the words that may follow. */
export interface CompletedNoun {
  readonly path: readonly string[];
  readonly next: readonly { readonly word: string; readonly summary: string }[];
}

export interface CompletionWords {
  readonly nouns: readonly CompletedNoun[];
  readonly verbs: readonly CompletedVerb[];
}

export async function loadCompletionWords(registry: Registry): Promise<CompletionWords> {
  const verbs = await Promise.all(
    registry.map(async ({ path, load }) => toVerb(path, await load())),
  );
  return { nouns: toNouns(registry), verbs };
}

function toVerb(path: readonly string[], command: Command): CompletedVerb {
  const flags = Object.entries(command.flags).map(([name, flag]): CompletedFlag => {
    const { short, help } = flag;
    const isSwitch = flag.type === "boolean";
    const value = isSwitch ? undefined : toCandidates(flag.valueName, flag.choices);
    return { name, short, help, value };
  });
  const help = { name: "help", short: "h", help: "show this help", value: undefined };
  const [first] = command.positionals ?? [];
  const argument = first === undefined ? FREE : toCandidates(first.name, first.choices);
  return { path, flags: [...flags, help], argument };
}

const FREE: Candidates = { kind: "free" };

function toCandidates(valueName: string, choices: readonly string[] | undefined): Candidates {
  if (choices !== undefined) return { kind: "choices", choices };
  if (/^FILE\b/.test(valueName)) return { kind: "file" };
  return valueName === "DIR" ? { kind: "directory" } : FREE;
}

function toNouns(registry: Registry): readonly CompletedNoun[] {
  const nouns = new Map<string, Map<string, string>>([["", new Map()]]);
  for (const entry of registry) {
    for (const [depth, word] of entry.path.entries()) {
      const key = entry.path.slice(0, depth).join(" ");
      const next = nouns.get(key) ?? new Map<string, string>();
      nouns.set(key, next.set(word, summaryAt(entry, depth)));
    }
  }
  nouns.get("")?.set("help", "Show the help of a verb");
  return [...nouns].map(([key, next]) => ({
    path: key === "" ? [] : key.split(" "),
    next: [...next].map(([word, summary]) => ({ word, summary })),
  }));
}

function summaryAt({ path, summary }: CommandEntry, depth: number): string {
  return depth === path.length - 1 ? summary : `Verbs of ${path[depth]}`;
}
