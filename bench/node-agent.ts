/**
 * The node agent with many Envoys on its socket, reduced to their SDS side: the memory that they cost it, and how long a new
 * bundle takes from the moment when it was durable at the server until the last of them has acknowledged it.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { writeTokens } from "./agents.ts";
import { readUsage } from "./cpu.ts";
import { Envoys } from "./envoys.ts";
import type { Fixture } from "./fixture.ts";
import { digestOf, startNodeRig } from "./node-rig.ts";
import type { Measure } from "./report.ts";

const pushes = 5;
/** For what follows an acknowledgement: evidence, files, garbage. */
const settleMs = 1_000;
const timeoutMs = 60_000;

/** What the agent may weigh without a stream, and what each may add. */
const boundMiB = (streams: number): number => 120 + (60 * streams) / 1024;

/** @param envoyCount each has a stream for its certificate and one for the roots */
export async function benchNodeAgent(fixture: Fixture, envoyCount: number): Promise<Measure[]> {
  const { programs, progress, signal } = fixture;
  const streams = 2 * envoyCount;
  const name = `node agent, ${streams.toLocaleString("en")} Envoy streams`;
  progress(name);
  await using node = await startNodeRig(fixture, `node-${envoyCount}`);
  const { rotations, directory } = node;
  const tokensFile = await writeTokens({ ...fixture, directory }, envoyCount);
  const startedAtMs = Date.now();
  await using envoys = new Envoys(programs.sds, node.socket, tokensFile);
  const held = ["", digestOf(await rotations.roots())].map((what) =>
    envoys.heldAtMs(what, timeoutMs),
  );
  const firstMs = Math.max(...(await Promise.all(held))) - startedAtMs;
  const pushMs: number[] = [];
  for (let push = 0; push < pushes; push++) {
    await sleep(settleMs, undefined, { signal });
    progress(`${name}: new bundle ${push + 1} of ${pushes}`);
    const { acceptedAtMs } = await rotations.order("prepare");
    const roots = digestOf(await rotations.roots());
    pushMs.push((await envoys.heldAtMs(roots, timeoutMs)) - acceptedAtMs);
    await sleep(settleMs, undefined, { signal });
    await rotations.order("abort");
  }
  await sleep(settleMs, undefined, { signal });
  const { rssMiB } = await readUsage(node.pid);
  const bundleBound = { kind: "target", value: 250 } as const;
  const memoryBound = { kind: "target", value: boundMiB(streams) } as const;
  return [
    { name: `${name}: RSS`, kind: "memory", runs: [rssMiB], bound: memoryBound },
    { name: `${name}: a new bundle`, kind: "latency", runs: pushMs, bound: bundleBound },
    { name: `${name}: first secrets`, kind: "latency", runs: [firstMs] },
  ];
}
