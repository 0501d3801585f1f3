/** The completion script for fish: to be sourced, or saved as `completions/portcullis.fish`. */

import type { Candidates, CompletedFlag, CompletedVerb, CompletionWords } from "./words.ts";

export function fishScript(words: CompletionWords): string {
  const nounLines = words.nouns.flatMap(({ path, next }) => {
    return next.map(({ word, summary }) => {
      return `${rule("is", path)} -a ${quote(word)} -d ${quote(summary)}`;
    });
  });
  const lines = [...nounLines, ...words.verbs.flatMap(verbLines)];
  return `# fish completion for portcullis
function __portcullis_words
  set -l words (string match -v -- '-*' (commandline -opc))
  test "$words[2]" = help; and set -e words[2]
  string join ' ' -- $words[2..]
end
function __portcullis_is
  test (__portcullis_words | string collect -a) = "$argv[1]"
end
function __portcullis_in
  string match -q -- "$argv[1] *" (__portcullis_words)' '
end
complete -c portcullis -f
${lines.join("\n")}
`;
}

function verbLines({ path, flags, argument }: CompletedVerb): readonly string[] {
  const condition = rule("in", path);
  const argumentLine = argument.kind === "free" ? [] : [`${condition} ${offer(argument)}`];
  return [...argumentLine, ...flags.map((flag) => `${condition} ${flagOptions(flag)}`)];
}

function flagOptions({ name, short, help, value }: CompletedFlag): string {
  const spelling = short === undefined ? `-l ${name}` : `-l ${name} -s ${short}`;
  const candidates = value === undefined ? "" : ` -r ${offer(value)}`;
  return `${spelling}${candidates} -d ${quote(help)}`;
}

function rule(condition: "in" | "is", path: readonly string[]): string {
  return `complete -c portcullis -n ${quote(`__portcullis_${condition} "${path.join(" ")}"`)}`;
}

function offer(candidates: Candidates): string {
  switch (candidates.kind) {
    case "choices":
      return `-f -a ${quote(candidates.choices.join(" "))}`;
    case "file":
      return "-F";
    case "directory":
      return `-f -a '(__fish_complete_directories)'`;
    case "free":
      return "-f";
    default:
      return candidates satisfies never;
  }
}

/** In single quotes fish knows two escapes, and these are they. */
function quote(text: string): string {
  return `'${text.replaceAll(/[\\']/g, String.raw`\$&`)}'`;
}
