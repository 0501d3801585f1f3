/**
 * `npm test`, and with `--all` what takes longer (`*.slow.test.ts`). Checks come first, because they are fast; then what goes
 * by the real clock, each file alone; then what takes minutes, and every other test file, two at a time. Words after the options choose
 * files by a part of their path. `--compat` is `*.compat.test.ts` and nothing else: what others wrote against ours, which needs Go. It
 * ends with the files that took longest, and all that failed.
 */

import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { helmBinary } from "./deploy/helm-binary.ts";
import { kubeAssets } from "./kube/assets.ts";
import { skipKube } from "./kube/skip-kube.ts";

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
    .filter((file) => all || !isSlow(file))
    .filter((file) => chosen.length === 0 || chosen.some((part) => file.includes(part)));
}

/** What goes by the real clock, and would take a crowded machine for a fault. */
const needsQuiet = (file: string): boolean => /\.(?:paced|compat)\./.test(file);
const isSlow = (file: string): boolean => file.endsWith(".slow.test.ts");

/** What `skipKube` takes out. */
const needsKube = (file: string): boolean => readFileSync(file, "utf8").includes("skip: skipKube");

/** Before any test, whose time is bounded: what is missing is built, for minutes. */
async function prepareKube(): Promise<void> {
  try {
    await kubeAssets();
    await helmBinary();
  } catch (error) {
    console.error("Kubernetes' tests will fail:", error);
  }
}

interface Outcome {
  readonly hasPassed: boolean;
  /** As `run-reporter.ts` has it. */
  readonly lines: readonly string[];
}

function runTests(files: readonly string[], concurrency: number, directory: string): Outcome {
  if (files.length === 0) return { hasPassed: true, lines: [] };
  const report = join(directory, "report");
  const flags = [
    "--test",
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${timeoutMs}`,
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    "--test-reporter=./test/run-reporter.ts",
    `--test-reporter-destination=${report}`,
  ];
  // Thousands of processes load the same modules: types are stripped once.
  const env = { ...process.env, NODE_COMPILE_CACHE: join(directory, "compiled") };
  const { status } = spawnSync(process.execPath, [...flags, ...files], { stdio: "inherit", env });
  return { hasPassed: status === 0, lines: readFileSync(report, "utf8").split("\n") };
}

const slowestShown = 10;

function tell(lines: readonly string[]): void {
  const slowest = lines
    .flatMap((line) => {
      const [, ms, file] = /^took (\d+) (.+)$/.exec(line) ?? [];
      return file === undefined ? [] : [{ seconds: Number(ms) / 1_000, file }];
    })
    .toSorted((a, b) => b.seconds - a.seconds)
    .slice(0, slowestShown)
    .map(({ seconds, file }) => `${seconds.toFixed(1).padStart(6)} s  ${file}`);
  console.log(`\nslowest:\n${slowest.join("\n")}`);
  const failed = lines.filter((line) => line.startsWith("failed "));
  if (failed.length > 0) console.log(`\n${failed.join("\n")}`);
}

if (chosen.length === 0 && !compat) runChecks();
const files = testFiles();
if (files.length === 0) {
  console.error(`no test file has any of: ${chosen.join(", ")}`);
  process.exit(2);
}
const kubeFiles = files.filter(needsKube);
if (kubeFiles.length > 0 && skipKube === false) await prepareKube();
const rest = files.filter((file) => !needsQuiet(file) && !isSlow(file));
const directory = mkdtempSync(join(tmpdir(), "portcullis-run-"));
let outcomes: readonly Outcome[];
try {
  outcomes = [
    runTests(files.filter(needsQuiet), 1, directory),
    runTests(
      files.filter((file) => isSlow(file) && !needsQuiet(file)),
      2,
      directory,
    ),
    runTests(rest, 2, directory),
  ];
} finally {
  rmSync(directory, { recursive: true });
}
tell(outcomes.flatMap(({ lines }) => lines));
if (kubeFiles.length > 0 && skipKube !== false) {
  console.log(`\nKubernetes was not tested (PORTCULLIS_SKIP_KUBE=1): ${kubeFiles.length} files`);
}
process.exitCode = outcomes.every(({ hasPassed }) => hasPassed) ? 0 : 1;
