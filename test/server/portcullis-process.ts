/** `bin/portcullis` as processes: verbs that end, and servers that stay until the test ends. */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { REGISTRY } from "../../src/app/cli/registry.ts";
import { runCli } from "../../src/app/cli/run.ts";
import { waitForEndpoints, type Endpoints } from "../../src/edge/config/endpoints.ts";

const LAUNCHER = fileURLToPath(new URL("../../bin/portcullis", import.meta.url));
const timeoutMs = 15_000;

export interface Outcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Running {
  readonly child: ChildProcess;
  readonly outcome: Promise<Outcome>;
  readonly stderr: () => string;
}

/** @param env over this process's own */
export function portcullis(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  return launch(args, env).outcome;
}

/**
 * A verb in this process.
 * @param aheadMs of its clock
 */
export async function runVerb(
  args: readonly string[],
  aheadMs = 0,
): Promise<Pick<Outcome, "status" | "stdout" | "stderr">> {
  const said = { stdout: "", stderr: "" };
  const status = await runCli(args, {
    stdout: { write: (text) => (said.stdout += text) },
    stderr: { write: (text) => (said.stderr += text) },
    env: {},
    signal: new AbortController().signal,
    nowMs: () => Date.now() + aheadMs,
    isTty: false,
    columns: 80,
    registry: REGISTRY,
  });
  return { status, ...said };
}

export interface ServerProcess extends AsyncDisposable {
  readonly endpoints: Endpoints;
  readonly pid: number;
  readonly outcome: Promise<Outcome>;
  /** The log so far. */
  readonly stderr: () => string;
  kill(signal: NodeJS.Signals): void;
}

/** A `server` or `dev`, once it is ready. */
export async function startServer(
  dataDir: string,
  args: readonly string[],
): Promise<ServerProcess> {
  const { child, outcome, stderr } = launch([...args, "--data-dir", dataDir], {});
  const ready = waitForEndpoints(dataDir, { timeoutMs, signal: AbortSignal.timeout(timeoutMs) });
  const endpoints = await Promise.race([
    ready,
    outcome.then(({ stderr }) => Promise.reject(new Error(`ended before it was ready: ${stderr}`))),
  ]);
  return {
    endpoints,
    pid: child.pid ?? -1,
    outcome,
    stderr,
    kill: (signal) => void child.kill(signal),
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await outcome;
    },
  };
}

function launch(args: readonly string[], env: Readonly<Record<string, string>>): Running {
  const child = spawn(LAUNCHER, args, {
    env: { ...process.env, PORTCULLIS_ADMIN: "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 4 * timeoutMs,
  });
  const said = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => void (said.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => void (said.stderr += chunk.toString()));
  const outcome = once(child, "close").then(([status, signal]) => ({ status, signal, ...said }));
  return { child, outcome, stderr: () => said.stderr };
}
