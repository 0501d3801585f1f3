/**
 * A change of mode at real Envoys of one node agent, from the moment when it was durable until the server knows that each has acknowledged it,
 * and until a new plaintext connection meets it there; and what its Envoys cost the agent.
 */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { adsBootstrap } from "../src/core/envoy/ads-bootstrap.ts";
import { startEnvoy, type EnvoyProcess } from "../src/edge/envoy/process.ts";
import { bearerAt } from "./corpus.ts";
import { readUsage, type Usage } from "./cpu.ts";
import type { Fixture } from "./fixture.ts";
import { startNodeRig, type NodeRig } from "./node-rig.ts";
import { Outsider } from "./outsider.ts";
import { inboundOf, meshMode, pushedManifests, type PushedWorkload } from "./policy-push-mesh.ts";
import { Percentiles, PolicyOrders } from "./policy-push-orders.ts";
import { findEnvoyHere } from "./real-envoys.ts";
import type { Measure } from "./report.ts";
import { mintToken } from "./tokens.ts";

const rounds = 5;
const settleMs = 4_000;
const idleMs = 20_000;
const connectEachMs = 25;
const startTimeoutMs = 120_000;
/** An Envoy that starts takes a core for a while. */
const startedAtOnce = 4;
const inForceMs = 200;
/** Of each Envoy, a second: 0.2 % of a core. */
const idleMicros = 2_000;

/** Nothing where there is no Envoy for this machine. */
export async function benchPushedEnvoys(fixture: Fixture): Promise<readonly Measure[]> {
  const { size, signal, progress, programs } = fixture;
  const binary = await findEnvoyHere(fixture);
  if (binary === undefined) return [];
  const name = `node agent, ${size.envoys} real Envoys`;
  const workloads = Array.from({ length: size.envoys }, (_, number) => {
    return { number, nodeId: `envoy-${number}` };
  });
  await using node = await startNodeRig(fixture, "pushed-envoys");
  await using outsider = await Outsider.start(
    programs.outsider,
    workloads.map(inboundOf),
    connectEachMs,
  );
  const orders = new PolicyOrders(node.server, node.directory, signal);
  const configuredMs = await orders.apply(pushedManifests(workloads, outsider.app));
  const alone = await readUsage(node.pid);
  await using owned = new AsyncDisposableStack();
  for (let first = 0; first < workloads.length; first += startedAtOnce) {
    progress(`${name}: Envoy ${first}`);
    const some = workloads.slice(first, first + startedAtOnce);
    const started = some.map((workload) => startOne(fixture, node, binary, workload));
    for (const envoy of await Promise.all(started)) owned.use(envoy);
  }
  await orders.acknowledged("permissive", configuredMs, size.envoys);
  const costs = new AgentCosts(node.pid, size.envoys);
  progress(`${name}: nothing changes`);
  await costs.idle(settleMs, idleMs, signal);
  const acknowledged = new Percentiles();
  const met = new Percentiles();
  for (let round = 1; round <= rounds; round++) {
    for (const mode of ["strict", "permissive"] as const) {
      progress(`${name}: ${mode} ${round} of ${rounds}`);
      await costs.change(settleMs, signal, async () => {
        const wanted = meshMode(mode === "strict" ? "STRICT" : "PERMISSIVE");
        const meets = outsider.meets(mode === "strict" ? "refused" : "served");
        const acceptedAtMs = await orders.apply([wanted]);
        acknowledged.add(await orders.acknowledged(mode, acceptedAtMs, size.envoys));
        const { atMs, begun } = await meets;
        progress(`${name}: ${begun} connections`);
        met.add(atMs.map((each) => each - acceptedAtMs));
      });
    }
  }
  const bound = { kind: "target", value: inForceMs } as const;
  return [
    {
      name: `${name}: another mode acknowledged, p99`,
      kind: "latency",
      runs: acknowledged.p99,
      bound,
    },
    { name: `${name}: another mode acknowledged, p50`, kind: "latency", runs: acknowledged.p50 },
    { name: `${name}: met by a new connection, p99`, kind: "latency", runs: met.p99, bound },
    { name: `${name}: met by a new connection, p50`, kind: "latency", runs: met.p50 },
    ...costs.measures(name, alone),
  ];
}

/** What the agent needs for its Envoys. */
class AgentCosts {
  readonly #pid: number;
  readonly #envoys: number;
  #idleShare = 0;
  #rssMiB = 0;
  readonly #changeMicros: number[] = [];

  constructor(pid: number, envoys: number) {
    this.#pid = pid;
    this.#envoys = envoys;
  }

  async idle(settleMs: number, forMs: number, signal: AbortSignal): Promise<void> {
    await sleep(settleMs, undefined, { signal });
    const { micros, elapsedMs } = await this.#during(async () => {
      await sleep(forMs, undefined, { signal });
    });
    this.#idleShare = micros / elapsedMs;
    this.#rssMiB = (await readUsage(this.#pid)).rssMiB;
  }

  /** With what follows it in `settleMs`. */
  async change(settleMs: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const { micros, elapsedMs } = await this.#during(async () => {
      await work();
      await sleep(settleMs, undefined, { signal });
    });
    this.#changeMicros.push((micros - elapsedMs * this.#idleShare) / this.#envoys);
  }

  measures(name: string, alone: Usage): readonly Measure[] {
    const idle = [(this.#idleShare * 1_000) / this.#envoys];
    const memory = [((this.#rssMiB - alone.rssMiB) * 1_048_576) / this.#envoys];
    const bound = { kind: "target", value: idleMicros } as const;
    return [
      {
        name: `${name}: agent CPU a second for each, nothing changes`,
        kind: "cpu",
        runs: idle,
        bound,
      },
      { name: `${name}: agent CPU of a change for each`, kind: "cpu", runs: this.#changeMicros },
      { name: `${name}: agent RSS for each`, kind: "size", runs: memory },
    ];
  }

  async #during(work: () => Promise<void>): Promise<{ micros: number; elapsedMs: number }> {
    const [before, startedMs] = [await readUsage(this.#pid), performance.now()];
    await work();
    const [after, endedMs] = [await readUsage(this.#pid), performance.now()];
    return { micros: after.cpuMicros - before.cpuMicros, elapsedMs: endedMs - startedMs };
  }
}

/** Resolves when it has its listeners. */
async function startOne(
  { tokens, seed, signal }: Fixture,
  { directory, socket }: NodeRig,
  binary: string,
  { number, nodeId }: PushedWorkload,
): Promise<EnvoyProcess> {
  const own = join(directory, nodeId);
  await mkdir(own, { mode: 0o700 });
  const adminSocketPath = join(own, "admin.sock");
  const bootstrap = adsBootstrap({
    nodeId,
    nodeCluster: "bench",
    sdsSocketPath: socket,
    sdsCredential: { kind: "token", token: await mintToken(tokens, bearerAt(number), 0, seed) },
    adminSocketPath,
    variant: "delta",
    labels: new Map(),
  });
  const envoy = await startEnvoy({ binary, bootstrap, adminSocketPath, directory: own });
  await envoy.waitUntilLive(AbortSignal.any([signal, AbortSignal.timeout(startTimeoutMs)]));
  return envoy;
}
