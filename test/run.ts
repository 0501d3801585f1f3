/**
 * `npm test`, and with `--all` what takes longer (`*.slow.test.ts`). Checks come first, because they are fast; then what goes
 * by the real clock, alone; then every other test file, two at a time. Words after the options choose files by a part of their path.
 * `--compat` is `*.compat.test.ts` and nothing else: what others wrote against ours, which needs Go. It ends with the names of all that failed.
 */

import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const words = process.argv.slice(2);
const all = words.includes("--all");
const compat = words.includes("--compat");
const chosen = words.filter((word) => !word.startsWith("--"));

const checks: readonly (readonly [string, readonly string[]])[] = [
  ["types", ["tsc", "--noEmit"]],
  ["lint", ["oxlint", "--type-aware", "--quiet"]],
  ["format", ["oxfmt", "--check", "."]],
  ["dead code", ["knip"]],
];

/** A test that hangs is a failure; the slow ones wait for certificates to age, and `--compat` for Go's compiler. */
const timeoutMs = all || compat ? 900_000 : 120_000;

function runChecks(): void {
  for (const [name, [program = "", ...args]] of checks) {
    const startedMs = performance.now();
    const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
    console.log(`${status === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
    if (status === 0) continue;
    console.log(stdout ?? "", stderr ?? "", error ?? "");
    process.exit(1);
  }
}

function testFiles(): string[] {
  const files = globSync("{src,test,bench}/**/*.test.ts").toSorted();
  return files
    .filter((file) => file.endsWith(".compat.test.ts") === compat)
    .filter((file) => all || !file.endsWith(".slow.test.ts"))
    .filter((file) => chosen.length === 0 || chosen.some((part) => file.includes(part)));
}

/** What goes by the real clock, and would take a crowded machine for a fault. */
const needsQuiet = (file: string): boolean => /\.(?:paced|slow|compat)\.test\.ts$/.test(file);

interface Outcome {
  readonly hasPassed: boolean;
  /** A line for each. */
  readonly failed: string;
}

function runTests(files: readonly string[], concurrency: number): Outcome {
  if (files.length === 0) return { hasPassed: true, failed: "" };
  const directory = mkdtempSync(join(tmpdir(), "portcullis-run-"));
  const failed = join(directory, "failed");
  const flags = [
    "--test",
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${timeoutMs}`,
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    "--test-reporter=./test/failed-tests.ts",
    `--test-reporter-destination=${failed}`,
  ];
  const { status } = spawnSync(process.execPath, [...flags, ...files], { stdio: "inherit" });
  try {
    return { hasPassed: status === 0, failed: readFileSync(failed, "utf8") };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

if (chosen.length === 0 && !compat) runChecks();
const files = testFiles();
if (files.length === 0) {
  console.error(`no test file has any of: ${chosen.join(", ")}`);
  process.exit(2);
}
const outcomes = [
  runTests(files.filter(needsQuiet), 1),
  runTests(
    files.filter((file) => !needsQuiet(file)),
    2,
  ),
];
const failed = outcomes.map((outcome) => outcome.failed).join("");
if (failed !== "") console.log(`\nfailed:\n${failed}`);
process.exitCode = outcomes.every(({ hasPassed }) => hasPassed) ? 0 : 1;
