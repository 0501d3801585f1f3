/**
 * Transcripts: what an operator types and what must come back. `$` starts a command, with variables
 * before it; `1>` and `2>` are lines of stdout and stderr, `exit` the code when it is not 0, `#` a
 * comment. `frame.txt` runs on the verbs of fixture-registry.ts, `verbs.txt` on the real ones.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import type { Registry } from "../../src/app/cli/command.ts";
import { REGISTRY } from "../../src/app/cli/registry.ts";
import { runCli } from "../../src/app/cli/run.ts";
import { gitCommit, packageVersion } from "../../src/app/cli/version-info.ts";
import { FIXTURE_REGISTRY } from "./fixture-registry.ts";

const commit = gitCommit();
const PLACEHOLDERS: ReadonlyMap<string, string> = new Map([
  ["{version}", packageVersion()],
  ["{node}", process.version],
  ["{commit}", commit === undefined ? "" : `commit ${commit.slice(0, 12)}, `],
]);

for (const [file, registry] of [
  ["frame.txt", FIXTURE_REGISTRY],
  ["verbs.txt", REGISTRY],
] as const) {
  for (const transcript of readTranscripts(file)) {
    test(`${file}: $ ${transcript.command}`, async () => {
      assert.equal(await replay(transcript.command, registry), transcript.expected);
    });
  }
}

interface Transcript {
  readonly command: string;
  readonly expected: string;
}

function readTranscripts(file: string): readonly Transcript[] {
  let text = readFileSync(new URL(file, import.meta.url), "utf8");
  for (const [placeholder, value] of PLACEHOLDERS) text = text.replaceAll(placeholder, value);
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const blocks = lines.join("\n").split(/^\$ /m).slice(1);
  return blocks.map((block) => {
    const [command = "", ...expected] = block.trimEnd().split("\n");
    return { command, expected: expected.join("\n") };
  });
}

async function replay(command: string, registry: Registry): Promise<string> {
  const words = [...command.matchAll(/'(?<quoted>[^']*)'|(?<plain>\S+)/g)].map(({ groups }) => {
    return groups?.["quoted"] ?? groups?.["plain"] ?? "";
  });
  const start = words.indexOf("portcullis");
  const env = Object.fromEntries(words.slice(0, start).map((word) => word.split("=", 2)));
  const lines: string[] = [];
  const sink = (prefix: string) => ({
    write: (text: string) => {
      assert.match(text, /\n$/);
      for (const line of text.slice(0, -1).split("\n")) lines.push(`${prefix} ${line}`.trimEnd());
    },
  });
  const exitCode = await runCli(words.slice(start + 1), {
    stdout: sink("1>"),
    stderr: sink("2>"),
    env,
    signal: new AbortController().signal,
    nowMs: () => 0,
    isTty: false,
    columns: 80,
    registry,
  });
  return [...lines, ...(exitCode === 0 ? [] : [`exit ${exitCode}`])].join("\n");
}
