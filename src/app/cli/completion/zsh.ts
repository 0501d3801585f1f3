/**
 * The completion script for zsh: to be sourced, or saved as `_portcullis` in a directory of
 * `fpath`.
 */

import { flagPattern, pathPattern, pathText, quote } from "./posix-words.ts";
import type { Candidates, CompletedVerb, CompletionWords } from "./words.ts";

export function zshScript(words: CompletionWords): string {
  const flagCases = words.verbs.flatMap(({ path, flags }) => {
    return flags.flatMap((flag) => {
      return flag.value === undefined
        ? []
        : [`(${flagPattern(path, flag)}) ${offer(flag.value)} ;;`];
    });
  });
  const nounCases = words.nouns.map(({ path, next }) => {
    const items = next.map(({ word, summary }) => describedItem(word, summary));
    return `(${quote(pathText(path))}) items=(${items.join(" ")}); _describe verb items ;;`;
  });
  return `#compdef portcullis
_portcullis() {
  local verb= index
  local -a items
  for ((index = 2; index < CURRENT; index++)); do
    case "$verb \${words[index]}" in
    (${pathPattern(words)}) verb="$verb \${words[index]}" ;;
    esac
  done
  case "$verb \${words[CURRENT - 1]}" in
  ${flagCases.join("\n  ")}
  (*)
    case "$verb" in
    ${[...nounCases, ...words.verbs.map(verbCase)].join("\n    ")}
    esac
    ;;
  esac
}
if [[ \${funcstack[1]} == _portcullis ]]; then
  _portcullis "$@"
else
  compdef _portcullis portcullis
fi
`;
}

function verbCase({ path, flags, argument }: CompletedVerb): string {
  const items = flags.map(({ name, help }) => describedItem(`--${name}`, help)).join(" ");
  const label = quote(pathText(path));
  const flagItems = `items=(${items}); _describe flag items`;
  return `(${label}) if [[ $PREFIX == -* ]]; then ${flagItems}; else ${offer(argument)}; fi ;;`;
}

/** `_describe` splits an item at its first colon. */
function describedItem(word: string, description: string): string {
  return quote(`${word}:${description}`);
}

function offer(candidates: Candidates): string {
  switch (candidates.kind) {
    case "choices":
      return `compadd -- ${candidates.choices.map(quote).join(" ")}`;
    case "file":
      return "_files";
    case "directory":
      return "_files -/";
    case "free":
      return ":";
    default:
      return candidates satisfies never;
  }
}
