/** A sidecar's agent with a busy Envoy: its CPU at 5,000 entries of the access log a second, and whether what is lost is counted as lost. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MeshAgent } from "../src/app/demo/mesh/mesh-agent.ts";
import type { Manifest } from "../src/edge/resources/manifest.ts";
import { checkMtls } from "../src/edge/rpc/flip-client.ts";
import { changeResources } from "../src/edge/rpc/resource-client.ts";
import { bearerAt } from "./corpus.ts";
import type { Fixture } from "./fixture.ts";
import { IdleCosts } from "./idle-costs.ts";
import type { Measure } from "./report.ts";
import { BenchServer } from "./server.ts";
import { ToldEnvoy, type ToldCounts } from "./told-envoy.ts";
import { mintToken } from "./tokens.ts";

const perSecond = 5_000;
const [warmMs, measuredMs, idleMs] = [3_000, 10_000, 3_000];
/** Two flushes before the first entry, and after the last one. */
const flushesMs = 2_500;
const timeoutMs = 30_000;
/** In CPU time of a second: 20 % of a core. */
const microsMax = 200_000;
const nodeId = "envoy-0";
const bearer = bearerAt(0);
const target = `${bearer.namespace}/${nodeId}`;

export async function benchAgentEvidence(fixture: Fixture): Promise<readonly Measure[]> {
  const { signal, progress, tokens, seed } = fixture;
  const name = `agent, ${perSecond.toLocaleString("en")} log entries a second`;
  const directory = join(fixture.directory, "evidence-agent");
  const dataDir = join(directory, "data");
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await using server = await BenchServer.start({ ...fixture, dataDir });
  const apply = [{ manifest: workload(), origin: "bench" }];
  await changeResources(server.admin, { apply, remove: [], isDryRun: false, operator: "bench" });
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => {});
  await using agent = await MeshAgent.start({
    name: "bench",
    directory: join(directory, "agent"),
    server: server.address,
    serverRootFile: join(dataDir, "root-cert.pem"),
    token: await mintToken(tokens, bearer, 0, seed),
    onLost: lost.reject,
  });
  const measuring = async (): Promise<readonly Measure[]> => {
    await sleep(2_000, undefined, { signal });
    using envoy = new ToldEnvoy(agent.sdsSocketPath, nodeId);
    const costs = new IdleCosts([agent.pid]);
    await sleep(flushesMs, undefined, { signal });
    progress(`${name}: none`);
    await costs.begin();
    await sleep(idleMs, undefined, { signal });
    await costs.end();
    const idle = costs.microsPerMs * 1_000;
    progress(`${name}: entries`);
    await envoy.tell(perSecond, warmMs);
    const before = envoy.entries;
    const startMs = performance.now();
    await costs.begin();
    await envoy.tell(perSecond, measuredMs);
    await costs.end();
    const busy = costs.microsPerMs * 1_000;
    const told = ((envoy.entries - before) * 1_000) / (performance.now() - startMs);
    const uncounted = await uncountedOf(server.admin, envoy.counts, signal);
    return [
      {
        name: `${name}: CPU a second`,
        kind: "cpu",
        runs: [busy],
        bound: { kind: "target", value: microsMax },
      },
      { name: `${name}: CPU a second without entries`, kind: "cpu", runs: [idle] },
      { name: `${name}: entries told in each`, kind: "count", runs: [Math.round(told)] },
      { name: `${name}: lost on purpose`, kind: "count", runs: [envoy.counts.lost] },
      {
        name: `${name}: connections neither seen nor lost`,
        kind: "count",
        runs: [uncounted],
        bound: { kind: "target", value: 0 },
      },
    ];
  };
  return await Promise.race([measuring(), lost.promise]);
}

/** By what the server knows in the end. */
async function uncountedOf(
  admin: string,
  { mtls, plaintext, lost }: ToldCounts,
  signal: AbortSignal,
): Promise<number> {
  for (const endMs = Date.now() + timeoutMs; ; await sleep(500, undefined, { signal })) {
    const { result } = await checkMtls(admin, { target, lookBack: undefined, operator: "bench" });
    if (result.case !== "verdict") throw new Error(`no verdict of ${target}`);
    const { mtlsConnections, otherConnections, lost: counted } = result.value;
    const known = Number(mtlsConnections + otherConnections);
    const missing = mtls + plaintext - known - Number(counted);
    if ((missing === 0 && Number(counted) === lost) || Date.now() > endMs) {
      return Math.abs(missing) + Math.abs(lost - Number(counted));
    }
  }
}

function workload(): Manifest {
  const { namespace, serviceAccount } = bearer;
  const spec = { address: "10.1.1.1", labels: { app: serviceAccount }, serviceAccount };
  const apiVersion = "networking.istio.io/v1";
  return { apiVersion, kind: "WorkloadEntry", metadata: { name: nodeId, namespace }, spec };
}
