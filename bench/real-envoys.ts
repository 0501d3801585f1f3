/**
 * Real Envoys at one node agent: how long a new bundle takes from the moment when it was durable at the server until each of
 * them has acknowledged it, on every stream that brings it one; by the times that the agent has noted.
 */

import { timestampMs } from "@bufbuild/protobuf/wkt";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { envoyBootstrap } from "../src/core/envoy/bootstrap.ts";
import { parseInbound, parseOutbound } from "../src/core/envoy/listen.ts";
import { TrustDomain } from "../src/core/spiffe/id.ts";
import { EnvoyBinaryError, findEnvoy } from "../src/edge/envoy/binary.ts";
import { startEnvoy, type EnvoyProcess } from "../src/edge/envoy/process.ts";
import { fetchStatus } from "../src/edge/rpc/admin-client.ts";
import type { ProxyStatus } from "../src/gen/portcullis/admin/v1/admin_pb.ts";
import { freePort } from "../test/support/envoy.ts";
import { bearerAt } from "./corpus.ts";
import type { Fixture } from "./fixture.ts";
import { startNodeRig, type NodeRig } from "./node-rig.ts";
import { percentile } from "./percentile.ts";
import type { Measure } from "./report.ts";
import { mintToken } from "./tokens.ts";

const pushes = 5;
const settleMs = 1_000;
const pollMs = 100;
const timeoutMs = 120_000;
/** An Envoy that starts takes a core for a while. */
const startedAtOnce = 4;
const trustDomain = TrustDomain.parse("cluster.local");

/** Nothing where there is no Envoy for this machine. */
export async function benchRealEnvoys(fixture: Fixture): Promise<Measure[]> {
  const { size, progress, signal } = fixture;
  const binary = await findEnvoyHere(fixture);
  if (binary === undefined) return [];
  const name = `node agent, ${size.envoys} real Envoys`;
  await using node = await startNodeRig(fixture, "real-envoys");
  await using owned = new AsyncDisposableStack();
  for (let first = 0; first < size.envoys; first += startedAtOnce) {
    progress(`${name}: Envoy ${first}`);
    const some = Array.from({ length: Math.min(startedAtOnce, size.envoys - first) }, (_, index) =>
      startOne(fixture, node, binary, first + index),
    );
    for (const envoy of await Promise.all(some)) owned.use(envoy);
  }
  const p99: number[] = [];
  const p50: number[] = [];
  for (let push = 0; push < pushes; push++) {
    progress(`${name}: new bundle ${push + 1} of ${pushes}`);
    const { sequence, acceptedAtMs } = await node.rotations.order("prepare");
    const acked = await ackedAtMs(fixture, node, sequence);
    const sorted = acked.map((atMs) => atMs - acceptedAtMs).toSorted((a, b) => a - b);
    p99.push(percentile(sorted, 0.99));
    p50.push(percentile(sorted, 0.5));
    await sleep(settleMs, undefined, { signal });
    await node.rotations.order("abort");
    await sleep(settleMs, undefined, { signal });
  }
  const bound = { kind: "target", value: 150 } as const;
  return [
    { name: `${name}: a new bundle, p99`, kind: "latency", runs: p99, bound },
    { name: `${name}: a new bundle, p50`, kind: "latency", runs: p50 },
  ];
}

/** Undefined where there is none. */
export async function findEnvoyHere({ progress, signal }: Fixture): Promise<string | undefined> {
  try {
    return await findEnvoy({ env: process.env, notify: progress, signal });
  } catch (error) {
    if (!(error instanceof EnvoyBinaryError)) throw error;
    progress(`no figures of real Envoys: ${error.message}`);
    return undefined;
  }
}

/** Resolves when it has its secrets. */
async function startOne(
  { tokens, seed, signal }: Fixture,
  { directory, socket }: NodeRig,
  binary: string,
  number: number,
): Promise<EnvoyProcess> {
  const nodeId = `envoy-${number}`;
  const own = join(directory, nodeId);
  await mkdir(own, { mode: 0o700 });
  const adminSocketPath = join(own, "admin.sock");
  const [inbound, outbound] = [await freePort(), await freePort()];
  const { namespace, serviceAccount } = bearerAt(number);
  const id = `spiffe://${trustDomain.name}/ns/${namespace}/sa/${serviceAccount}`;
  const bootstrap = envoyBootstrap({
    nodeId,
    nodeCluster: "bench",
    trustDomain,
    sdsSocketPath: socket,
    sdsCredential: { kind: "token", token: await mintToken(tokens, bearerAt(number), 0, seed) },
    adminSocketPath,
    inbound: [parseInbound(`127.0.0.1:${inbound}=127.0.0.1:${outbound}`)],
    outbound: [parseOutbound(`127.0.0.1:${outbound}=127.0.0.1:${inbound}@${id}`)],
  });
  const envoy = await startEnvoy({ binary, bootstrap, adminSocketPath, directory: own });
  await envoy.waitUntilLive(AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
  return envoy;
}

/** Of each Envoy, when it had acknowledged the bundle everywhere. */
async function ackedAtMs(
  { size, signal }: Fixture,
  { server }: NodeRig,
  sequence: number,
): Promise<number[]> {
  for (const endMs = Date.now() + timeoutMs; ; await sleep(pollMs, undefined, { signal })) {
    const { proxies } = await fetchStatus(server.admin);
    const times = proxies.flatMap((proxy) => confirmedAtMs(proxy, sequence));
    if (times.length === size.envoys) return times;
    if (Date.now() > endMs) throw new Error(`${times.length} Envoys have bundle ${sequence}`);
  }
}

function confirmedAtMs({ connected, subscriptions }: ProxyStatus, sequence: number): number[] {
  const bundles = subscriptions.filter(({ bundleSequence }) => bundleSequence > 0);
  const isConfirmed = bundles.every(({ bundleSequence }) => Number(bundleSequence) === sequence);
  if (!connected || bundles.length === 0 || !isConfirmed) return [];
  const times = bundles.map(({ ackedAt }) => (ackedAt === undefined ? 0 : timestampMs(ackedAt)));
  return [Math.max(...times)];
}
