/**
 * A flip's stage at real Envoys of one node agent, from the moment when it was durable until the plaintext connection was begun that was
 * refused first: of one workload, and of many at once.
 */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { adsBootstrap } from "../src/core/envoy/ads-bootstrap.ts";
import { startEnvoy, type EnvoyProcess } from "../src/edge/envoy/process.ts";
import { changeResources } from "../src/edge/rpc/resource-client.ts";
import {
  flipBearer,
  flipInbound,
  flipManifests,
  flipNodeId,
  flipTarget,
} from "./flip-manifests.ts";
import { FlipOrders } from "./flip-orders.ts";
import type { Fixture } from "./fixture.ts";
import { startNodeRig, type NodeRig } from "./node-rig.ts";
import { Outsider } from "./outsider.ts";
import { Percentiles } from "./policy-push-orders.ts";
import { findEnvoyHere } from "./real-envoys.ts";
import type { Measure } from "./report.ts";
import { mintToken } from "./tokens.ts";

interface FlipCase {
  readonly envoys: number;
  readonly rounds: number;
  /** The outsiders take turns, so that each Envoy is met in one round of so many: more connections would be what is measured. */
  readonly turns: number;
  readonly connectEachMs: number;
  readonly refusedMs: number;
}

const settleMs = 2_000;
const startTimeoutMs = 120_000;
/** An Envoy that starts takes a core for a while. */
const startedAtOnce = 4;

/** Nothing where there is no Envoy for this machine. */
export async function benchFlip(fixture: Fixture): Promise<readonly Measure[]> {
  const binary = await findEnvoyHere(fixture);
  if (binary === undefined) return [];
  const { envoys } = fixture.size;
  const one = { envoys: 1, rounds: 20, turns: 1, connectEachMs: 5, refusedMs: 100 };
  const many = { envoys, rounds: 5, turns: 10, connectEachMs: 25, refusedMs: 300 };
  return [...(await benchCase(fixture, binary, one)), ...(await benchCase(fixture, binary, many))];
}

async function benchCase(
  fixture: Fixture,
  binary: string,
  { envoys, rounds, turns, connectEachMs, refusedMs }: FlipCase,
): Promise<readonly Measure[]> {
  const { signal, progress, programs } = fixture;
  const name = `flip of ${envoys === 1 ? "one real Envoy" : `${envoys} real Envoys`}`;
  await using node = await startNodeRig(fixture, `flip-${envoys}`);
  await using owned = new AsyncDisposableStack();
  const outsiders: Outsider[] = [];
  for (let turn = 0; turn < turns; turn++) {
    const numbers = Array.from({ length: envoys }, (_, number) => number);
    const ports = numbers.filter((number) => number % turns === turn).map(flipInbound);
    outsiders.push(owned.use(await Outsider.start(programs.outsider, ports, connectEachMs)));
  }
  const app = outsiders[0]?.app ?? "";
  const apply = flipManifests(envoys, app).map((manifest) => ({ manifest, origin: "bench" }));
  const configured = { apply, remove: [], isDryRun: false, operator: "bench" };
  await changeResources(node.server.admin, configured);
  for (let first = 0; first < envoys; first += startedAtOnce) {
    progress(`${name}: Envoy ${first}`);
    const count = Math.min(startedAtOnce, envoys - first);
    const starting = Array.from({ length: count }, (_, at) =>
      startOne(fixture, node, binary, first + at),
    );
    for (const envoy of await Promise.all(starting)) owned.use(envoy);
  }
  const orders = new FlipOrders(node, signal);
  const [namespace = ""] = flipTarget.split("/");
  await orders.waive(
    Array.from({ length: envoys }, (_, number) => `${namespace}/${flipNodeId(number)}`),
  );
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const outsider = outsiders[round % turns];
    if (outsider === undefined) throw new TypeError("expected an outsider");
    progress(`${name}: ${round + 1} of ${rounds}`);
    await orders.untilSafe();
    const [refused, openedMs] = await Promise.all([outsider.meets("refused"), orders.begin()]);
    times.push(...refused.map((atMs) => atMs - openedMs));
    await orders.takeBack();
    await outsider.meets("served");
    await sleep(settleMs, undefined, { signal });
  }
  const all = new Percentiles();
  all.add(times);
  const bound = { kind: "target", value: refusedMs } as const;
  return [
    { name: `${name}: plaintext refused, p99`, kind: "latency", runs: all.p99, bound },
    { name: `${name}: plaintext refused, p50`, kind: "latency", runs: all.p50 },
  ];
}

/** Resolves when it has its listeners. */
async function startOne(
  { tokens, seed, signal }: Fixture,
  { directory, socket }: NodeRig,
  binary: string,
  number: number,
): Promise<EnvoyProcess> {
  const nodeId = flipNodeId(number);
  const own = join(directory, nodeId);
  await mkdir(own, { mode: 0o700 });
  const adminSocketPath = join(own, "admin.sock");
  const token = await mintToken(tokens, flipBearer(number), 0, seed);
  const bootstrap = adsBootstrap({
    nodeId,
    nodeCluster: "bench",
    sdsSocketPath: socket,
    sdsCredential: { kind: "token", token },
    adminSocketPath,
    variant: "delta",
    labels: new Map(),
  });
  const envoy = await startEnvoy({ binary, bootstrap, adminSocketPath, directory: own });
  await envoy.waitUntilLive(AbortSignal.any([signal, AbortSignal.timeout(startTimeoutMs)]));
  return envoy;
}
