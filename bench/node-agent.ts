/**
 * The node agent with many Envoys on its socket: the memory that they cost it, and how long a new
 * bundle takes until the last of them has acknowledged it.
 */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BenchControlPlane } from "./control-plane.ts";
import { bearerAt } from "./corpus.ts";
import { readUsage } from "./cpu.ts";
import { Envoys } from "./envoys.ts";
import type { Fixture } from "./fixture.ts";
import { nodeBearer, nodeIdentity } from "./node-identity.ts";
import type { Measure } from "./report.ts";
import { launcher } from "./server.ts";
import { mintToken } from "./tokens.ts";

/** Each has a stream for its certificate and one for the roots. */
const envoyCount = 500;
const streams = 2 * envoyCount;
const pushes = 5;
/** For what follows an acknowledgement: evidence, files, garbage. */
const settleMs = 1_000;
const timeoutMs = 30_000;
/** What the agent may weigh without a stream, and what each may add. */
const boundMiB = 120 + (60 * streams) / 1024;

export async function benchNodeAgent(fixture: Fixture): Promise<Measure[]> {
  const { programs, progress, signal } = fixture;
  const directory = join(fixture.directory, "node");
  const dataDir = join(directory, "data");
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  progress(`node agent: ${streams} streams`);
  await using controlPlane = await BenchControlPlane.start(fixture, dataDir, nodeIdentity);
  await using agent = await startAgent(fixture, directory, controlPlane.address);
  const tokensFile = await writeTokens(fixture, join(directory, "tokens"));
  const startedAtMs = Date.now();
  await using envoys = new Envoys(programs.sds, agent.socket, tokensFile);
  const held = ["", digest(controlPlane.roots)].map((what) => envoys.heldAtMs(what, timeoutMs));
  const firstMs = Math.max(...(await Promise.all(held))) - startedAtMs;
  const pushMs: number[] = [];
  for (let push = 0; push < pushes; push++) {
    await sleep(settleMs, undefined, { signal });
    progress(`node agent: new bundle ${push + 1} of ${pushes}`);
    const atMs = await controlPlane.addRoot();
    pushMs.push((await envoys.heldAtMs(digest(controlPlane.roots), timeoutMs)) - atMs);
  }
  await sleep(settleMs, undefined, { signal });
  const { rssMiB } = await readUsage(agent.pid);
  const name = `node agent, ${streams.toLocaleString("en")} Envoy streams`;
  const bundleBound = { kind: "target", value: 250 } as const;
  const memoryBound = { kind: "target", value: boundMiB } as const;
  return [
    { name: `${name}: RSS`, kind: "memory", runs: [rssMiB], bound: memoryBound },
    { name: `${name}: a new bundle`, kind: "latency", runs: pushMs, bound: bundleBound },
    { name: `${name}: first secrets`, kind: "latency", runs: [firstMs] },
  ];
}

interface RunningAgent extends AsyncDisposable {
  readonly pid: number;
  readonly socket: string;
}

/** `portcullis agent --node` as a user would start it. Resolves when its socket is there. */
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
  for (const endMs = Date.now() + timeoutMs; !(await exists(socket));) {
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

async function writeTokens({ tokens, seed }: Fixture, file: string): Promise<string> {
  const lines = Array.from({ length: envoyCount }, (_, index) =>
    mintToken(tokens, bearerAt(index), index, seed),
  );
  await writeFile(file, `${(await Promise.all(lines)).join("\n")}\n`, { mode: 0o600 });
  return file;
}

function digest(roots: string): string {
  return createHash("sha256").update(roots).digest("hex");
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
