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
import { readUsage } from "./cpu.ts";
import type { Fixture } from "./fixture.ts";
import { IdleCosts } from "./idle-costs.ts";
import { startNodeRig, type NodeRig } from "./node-rig.ts";
import { Outsider } from "./outsider.ts";
import { inboundOf, meshMode, pushedManifests, type PushedWorkload } from "./policy-push-mesh.ts";
import { Percentiles, PolicyOrders } from "./policy-push-orders.ts";
import { findEnvoyHere } from "./real-envoys.ts";
import type { Measure } from "./report.ts";
import { mintToken } from "./tokens.ts";

const settleMs = 4_000;
const idleMs = 20_000;
/** At all Envoys that would measure the outsider: so many connections made them several times as slow. */
const connectEachMs = 25;
/** Each stands before one Envoy in so many, and connects during one change: each Envoy is met once. */
const changes = 10;
const startTimeoutMs = 120_000;
/** An Envoy that starts takes a core for a while. */
const startedAtOnce = 4;
const inForceMs = 200;
/** A second: 0.2 % of a core. */
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
  await using owned = new AsyncDisposableStack();
  const outsiders: Outsider[] = [];
  for (let at = 0; at < changes; at++) {
    const [from, to] = [at, at + 1].map((each) => Math.round((each * size.envoys) / changes));
    const ports = workloads.slice(from, to).map(inboundOf);
    outsiders.push(owned.use(await Outsider.start(programs.outsider, ports, connectEachMs)));
  }
  const orders = new PolicyOrders(node.server, node.directory, signal);
  const configuredMs = await orders.apply(pushedManifests(workloads, outsiders[0]?.app ?? ""));
  const alone = await readUsage(node.pid);
  const envoys: number[] = [];
  for (let first = 0; first < workloads.length; first += startedAtOnce) {
    progress(`${name}: Envoy ${first}`);
    const some = workloads.slice(first, first + startedAtOnce);
    const started = some.map((workload) => startOne(fixture, node, binary, workload));
    for (const envoy of await Promise.all(started)) envoys.push(owned.use(envoy).pid ?? 0);
  }
  await orders.acknowledged("permissive", configuredMs, size.envoys);
  const agent = new IdleCosts([node.pid]);
  const proxies = new IdleCosts(envoys);
  await sleep(settleMs, undefined, { signal });
  progress(`${name}: nothing changes`);
  await Promise.all([agent.begin(), proxies.begin()]);
  await sleep(idleMs, undefined, { signal });
  await Promise.all([agent.end(), proxies.end()]);
  const { rssMiB } = await readUsage(node.pid);
  const acknowledged = new Percentiles();
  const met: number[] = [];
  for (const [change, outsider] of outsiders.entries()) {
    const mode = change % 2 === 0 ? "strict" : "permissive";
    progress(`${name}: ${mode}, ${change + 1} of ${outsiders.length}`);
    const meets = outsider.meets(mode === "strict" ? "refused" : "served");
    const acceptedAtMs = await orders.apply([meshMode(mode)]);
    acknowledged.add(await orders.acknowledged(mode, acceptedAtMs, size.envoys));
    met.push(...(await meets).map((atMs) => atMs - acceptedAtMs));
    await sleep(settleMs, undefined, { signal });
  }
  const metOnce = new Percentiles();
  metOnce.add(met);
  const all = changes * size.envoys;
  const [agentMicros, envoyMicros] = await Promise.all([agent.since(), proxies.since()]);
  const idle = (agent.microsPerMs * 1_000) / size.envoys;
  const idleEnvoy = (proxies.microsPerMs * 1_000) / size.envoys;
  const memory = ((rssMiB - alone.rssMiB) * 1_048_576) / size.envoys;
  const bound = { kind: "target", value: inForceMs } as const;
  return [
    {
      name: `${name}: another mode acknowledged, p99`,
      kind: "latency",
      runs: acknowledged.p99,
      bound,
    },
    { name: `${name}: another mode acknowledged, p50`, kind: "latency", runs: acknowledged.p50 },
    { name: `${name}: met by a new connection, p99`, kind: "latency", runs: metOnce.p99, bound },
    { name: `${name}: met by a new connection, p50`, kind: "latency", runs: metOnce.p50 },
    {
      name: `${name}: agent CPU a second for each`,
      kind: "cpu",
      runs: [idle],
      bound: { kind: "target", value: idleMicros },
    },
    { name: `${name}: Envoy's own CPU a second`, kind: "cpu", runs: [idleEnvoy] },
    { name: `${name}: agent CPU of a change for each`, kind: "cpu", runs: [agentMicros / all] },
    { name: `${name}: Envoy's own CPU of a change`, kind: "cpu", runs: [envoyMicros / all] },
    { name: `${name}: agent RSS for each`, kind: "size", runs: [memory] },
  ];
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
