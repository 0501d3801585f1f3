/** `portcullis completion SHELL` */

import { defineCommand, ExitCode, type Command } from "../command.ts";
import { loadCompletionWords, type CompletionWords } from "../completion/words.ts";
import { bashScript } from "../completion/bash.ts";
import { fishScript } from "../completion/fish.ts";
import { zshScript } from "../completion/zsh.ts";

const SCRIPTS: ReadonlyMap<string, (words: CompletionWords) => string> = new Map([
  ["bash", bashScript],
  ["fish", fishScript],
  ["zsh", zshScript],
]);

export const completion: Command = defineCommand({
  description:
    "The script knows the verbs and flags of this version. Make it anew after an upgrade.",
  flags: {},
  positionals: [{ name: "SHELL", help: "the shell to complete in", choices: [...SCRIPTS.keys()] }],
  examples: [
    { what: "Complete in this bash", command: "source <(portcullis completion bash)" },
    { what: "Complete in this zsh", command: "source <(portcullis completion zsh)" },
    { what: "Complete in this fish", command: "portcullis completion fish | source" },
  ],
  async run({ stdout, registry }, _flags, [shell = ""]) {
    const script = SCRIPTS.get(shell);
    if (script === undefined) return ExitCode.usage;
    stdout.write(script(await loadCompletionWords(registry)));
    return ExitCode.ok;
  },
});
