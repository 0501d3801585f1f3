/**
 * The completion scripts in the shells they are for. A shell that this machine lacks is skipped.
 */

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { bashScript } from "../../src/app/cli/completion/bash.ts";
import { fishScript } from "../../src/app/cli/completion/fish.ts";
import { loadCompletionWords } from "../../src/app/cli/completion/words.ts";
import { zshScript } from "../../src/app/cli/completion/zsh.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { FIXTURE_REGISTRY } from "./fixture-registry.ts";

interface Completion {
  readonly words: readonly string[];
  readonly want: readonly string[];
}

/** The last word is being typed. */
const COMPLETIONS: readonly Completion[] = [
  { words: [""], want: ["fail", "help", "svid", "token"] },
  { words: ["to"], want: ["token"] },
  { words: ["nothing"], want: [] },
  { words: ["svid", ""], want: ["fetch", "show"] },
  { words: ["svid", "s"], want: ["show"] },
  { words: ["help", "svid", ""], want: ["fetch", "show"] },
  { words: ["token", "mint", "--a"], want: ["--audience"] },
  { words: ["token", "mint", "--audience", "x", "--t"], want: ["--ttl"] },
  { words: ["token", "mint", "-q", "--output", ""], want: ["json", "table", "yaml"] },
  { words: ["token", "mint", "-o", "y"], want: ["yaml"] },
  { words: ["fail", ""], want: ["hostile", "plain", "typed"] },
  { words: ["fail", "--h"], want: ["--help"] },
  { words: ["svid", "show", "--trust", "a f"], want: ["a file"] },
  { words: ["svid", "show", "--dir", "a"], want: ["a directory"] },
  { words: ["svid", "show", "a"], want: ["a directory", "a file"] },
];

const words = await loadCompletionWords(FIXTURE_REGISTRY);

function isMissing(shell: string): string | false {
  return spawnSync(shell, ["-c", "true"]).error === undefined ? false : `no ${shell} here`;
}

function filesToComplete(): ReturnType<typeof temporaryDirectory> {
  const directory = temporaryDirectory();
  writeFileSync(join(directory.path, "a file"), "");
  mkdirSync(join(directory.path, "a directory"));
  return directory;
}

test("bash completes verbs, flags, values and files", { skip: isMissing("bash") }, () => {
  using directory = filesToComplete();
  const driver = `
    complete_words() {
      COMP_WORDS=(portcullis "$@") COMP_CWORD=$#
      _portcullis
      printf '%s\\n' "\${COMPREPLY[@]}" .
    }`;
  const cases = [
    ...COMPLETIONS,
    { words: ["token", "mint", "--output", "="], want: ["json", "table", "yaml"] },
    { words: ["token", "mint", "--output", "=", "j"], want: ["json"] },
  ];
  const calls = cases.map(
    (each) => `complete_words ${each.words.map((word) => `'${word}'`).join(" ")}`,
  );
  const script = ["set -u", bashScript(words), driver, ...calls].join("\n");
  const output = execFileSync("bash", ["--norc"], {
    cwd: directory.path,
    input: script,
    encoding: "utf8",
  });
  assert.deepEqual(
    answers(output),
    cases.map(({ want }) => want),
  );
});

test("fish completes verbs, flags, values and files", { skip: isMissing("fish") }, () => {
  using directory = filesToComplete();
  const calls = COMPLETIONS.map((each) => {
    const line = ["portcullis", ...each.words].map((word) => word.replaceAll(" ", "\\ ")).join(" ");
    return `complete -C '${line.replaceAll("\\", "\\\\")}'; echo .`;
  });
  const script = [fishScript(words), ...calls].join("\n");
  const output = execFileSync("fish", ["--no-config", "-c", script], {
    cwd: directory.path,
    encoding: "utf8",
  });
  const want = COMPLETIONS.map(({ want }) => want);
  assert.deepEqual(answers(output.replaceAll(/\t.*$/gm, "").replaceAll(/\/$/gm, "")), want);
});

test("zsh can read its script", { skip: isMissing("zsh") }, () => {
  execFileSync("zsh", ["-f", "-n"], { input: zshScript(words) });
});

/** Each completion's candidates, one a line, end at a line with a dot. */
function answers(output: string): readonly (readonly string[])[] {
  return output
    .split(/^\.\n/m)
    .slice(0, -1)
    .map((text) =>
      text
        .split("\n")
        .filter((line) => line !== "")
        .toSorted(),
    );
}
