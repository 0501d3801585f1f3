/** One `bin/portcullis` process for tests: its log as values, and an end that is certain. */

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const launcher = fileURLToPath(new URL("../../bin/portcullis", import.meta.url));

/** A line of a process's own log. */
export interface LogLine {
  readonly event?: string;
  readonly time: string;
  readonly [field: string]: unknown;
}

export class PortcullisProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #logPath: string;
  readonly #exited: Promise<unknown>;

  private constructor(child: ChildProcess, logPath: string) {
    this.#child = child;
    this.#logPath = logPath;
    this.#exited = once(child, "exit");
  }

  /** @param logPath appended to: several lives of one process share it */
  static async start(args: readonly string[], logPath: string): Promise<PortcullisProcess> {
    const log = openSync(logPath, "a", 0o600);
    const stdio = ["ignore", "ignore", log] as const;
    const child = spawn(launcher, args, { stdio: [...stdio], env: environment() });
    closeSync(log);
    await once(child, "spawn");
    return new PortcullisProcess(child, logPath);
  }

  get pid(): number {
    assert(this.#child.pid !== undefined);
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What has reached the log file; a process writes at least ten times a second. */
  log(event?: string): LogLine[] {
    const lines = readFileSync(this.#logPath, "utf8").split("\n");
    const parsed = lines.flatMap((line): LogLine[] =>
      line.startsWith("{") && line.endsWith("}") ? [JSON.parse(line)] : [],
    );
    return event === undefined ? parsed : parsed.filter((line) => line.event === event);
  }

  /** Without a chance to say goodbye. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const force = setTimeout(() => this.#child.kill("SIGKILL"), stopGraceMs);
    await this.#end("SIGTERM");
    clearTimeout(force);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (!this.isRunning) return;
    this.#child.kill(signal);
    await this.#exited;
  }
}

const stopGraceMs = 1_000;

export interface VerbResult {
  readonly exitCode: number | null;
  readonly stdout: string;
}

/** Runs a verb to its end. */
export async function runVerb(...args: readonly string[]): Promise<VerbResult> {
  const child = spawn(launcher, args, { stdio: ["ignore", "pipe", "ignore"], env: environment() });
  const [stdout] = await Promise.all([text(child.stdout), once(child, "exit")]);
  return { exitCode: child.exitCode, stdout };
}

/** Fails the test if the condition does not come true in time. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  for (const deadlineMs = Date.now() + timeoutMs; Date.now() < deadlineMs; await sleep(50)) {
    if (await condition()) return;
  }
  assert.fail(`never came true: ${what}`);
}

/** The test runner's own variables are not for what is tested. */
function environment(): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _, PORTCULLIS_ADMIN: __, ...env } = process.env;
  return env;
}
