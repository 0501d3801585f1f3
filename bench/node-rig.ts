/** A node agent as a user would start it, and its server, whose roots can be rotated. */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Fixture } from "./fixture.ts";
import { nodeBearer, nodeIdentity } from "./node-identity.ts";
import { Rotations } from "./rotations.ts";
import { BenchServer, launcher } from "./server.ts";
import { mintToken } from "./tokens.ts";

const startTimeoutMs = 30_000;

export interface NodeRig extends AsyncDisposable {
  readonly directory: string;
  readonly server: BenchServer;
  readonly rotations: Rotations;
  /** Of the agent. */
  readonly pid: number;
  readonly socket: string;
}

/** Resolves when the agent's socket is there. @param name of its directory */
export async function startNodeRig(fixture: Fixture, name: string): Promise<NodeRig> {
  const directory = join(fixture.directory, name);
  const dataDir = join(directory, "data");
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await using owned = new AsyncDisposableStack();
  const flags = ["--node-agent", nodeIdentity];
  const server = owned.use(
    await BenchServer.start({ ...fixture, dataDir, flags, variant: "timed" }),
  );
  const agent = owned.use(await startAgent(fixture, directory, server.address));
  const rotations = new Rotations(server, dataDir);
  const { pid, socket } = agent;
  const kept = owned.move();
  const dispose = (): Promise<void> => kept.disposeAsync();
  return { directory, server, rotations, pid, socket, [Symbol.asyncDispose]: dispose };
}

/** As Envoys hold them: SHA-256 of the PEM, in hex. */
export function digestOf(roots: string): string {
  return createHash("sha256").update(roots).digest("hex");
}

interface RunningAgent extends AsyncDisposable {
  readonly pid: number;
  readonly socket: string;
}

async function startAgent(
  { tokens, seed, signal }: Fixture,
  directory: string,
  server: string,
): Promise<RunningAgent> {
  const [tokenFile, socket] = [join(directory, "token"), join(directory, "sds.sock")];
  await writeFile(tokenFile, await mintToken(tokens, nodeBearer, 0, seed), { mode: 0o600 });
  const files = ["--token-file", tokenFile, "--state-dir", join(directory, "state")];
  const root = ["--server-root", join(directory, "data", "root-cert.pem")];
  const node = ["agent", "--node", "--node-identity", nodeIdentity, "--sds-socket", socket];
  const log = openSync(join(directory, "agent.log"), "a", 0o600);
  const args = [...node, "--server", server, ...root, ...files];
  const child = spawn(launcher, args, { stdio: ["ignore", log, log] });
  closeSync(log);
  const exited = once(child, "exit");
  for (const endMs = Date.now() + startTimeoutMs; !(await exists(socket));) {
    signal.throwIfAborted();
    if (child.exitCode !== null || Date.now() > endMs) throw new Error("no node agent has started");
    await sleep(20);
  }
  return {
    pid: child.pid ?? 0,
    socket,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
