/** The completion script for bash: 3.2 and later, without the bash-completion package. */

import { flagPattern, pathPattern, pathText, quote } from "./posix-words.ts";
import type { Candidates, CompletedVerb, CompletionWords } from "./words.ts";

export function bashScript(words: CompletionWords): string {
  const flagCases = words.verbs.flatMap(({ path, flags }) => {
    return flags.flatMap((flag) => {
      return flag.value === undefined
        ? []
        : [`${flagPattern(path, flag)}) ${offer(flag.value)} ;;`];
    });
  });
  const nounCases = words.nouns.map(({ path, next }) => {
    return `${quote(pathText(path))}) words=${quote(next.map(({ word }) => word).join(" "))} ;;`;
  });
  return `# bash completion for portcullis
_portcullis() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} verb= words= kind= index
  # Readline splits --flag=value at the equals sign.
  if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$verb \${COMP_WORDS[index]}" in
    ${pathPattern(words)}) verb="$verb \${COMP_WORDS[index]}" ;;
    esac
  done
  case "$verb $prev" in
  ${flagCases.join("\n  ")}
  *)
    case "$verb" in
    ${[...nounCases, ...words.verbs.map(verbCase)].join("\n    ")}
    esac
    ;;
  esac
  local IFS=$' \\n'
  if [[ -z $kind ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
  else
    compopt -o filenames 2>/dev/null
    IFS=$'\\n' COMPREPLY=($(compgen "$kind" -- "$cur"))
  fi
}
complete -F _portcullis portcullis
`;
}

function verbCase({ path, flags, argument }: CompletedVerb): string {
  const names = quote(flags.map(({ name }) => `--${name}`).join(" "));
  const label = quote(pathText(path));
  return `${label}) if [[ $cur == -* ]]; then words=${names}; else ${offer(argument)}; fi ;;`;
}

function offer(candidates: Candidates): string {
  switch (candidates.kind) {
    case "choices":
      return `words=${quote(candidates.choices.join(" "))}`;
    case "file":
      return "kind=-f";
    case "directory":
      return "kind=-d";
    case "free":
      return "words=";
    default:
      return candidates satisfies never;
  }
}
