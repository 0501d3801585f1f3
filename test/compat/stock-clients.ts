/** The Go program in `go/`: built once into a cache, run with a bounded time, its lines as values. */

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface StockLine {
  readonly [field: string]: unknown;
}

export interface StockStep extends StockLine {
  readonly step: string;
  readonly id?: string;
  readonly code?: string;
  readonly error?: string;
}

/**
 * Rejects if the program did not see what it was to see.
 * @param flags without their dashes
 */
export async function runStock<Line extends StockLine = StockStep>(
  command: string,
  flags: Readonly<Record<string, string | number>>,
): Promise<readonly Line[]> {
  const words = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const { stdout } = await run(program, [command, ...words], { timeout: timeoutMs });
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line): Line => JSON.parse(line));
}

/** Asserts that the step named was gone through, and how. */
export function stepOf(steps: readonly StockStep[], name: string): StockStep {
  const found = steps.find(({ step }) => step === name);
  assert(found !== undefined, `expected a step ${name} in ${JSON.stringify(steps)}`);
  return found;
}

/** The program gives up before. */
const timeoutMs = 40_000;
/** From nothing, with what it needs from the Go module proxy. */
const buildTimeoutMs = 300_000;

/** Go links again only what has changed. */
function build(): string {
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const directory = join(cache, "portcullis");
  mkdirSync(directory, { recursive: true });
  const binary = join(directory, "stock-clients");
  const { status, stderr, error } = spawnSync("go", ["build", "-o", binary, "."], {
    cwd: join(import.meta.dirname, "go"),
    encoding: "utf8",
    timeout: buildTimeoutMs,
  });
  assert.equal(status, 0, `go build: ${error?.message ?? stderr}`);
  return binary;
}

/** Before any test, whose time is bounded more tightly. */
const program = build();
