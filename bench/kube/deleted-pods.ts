/** How soon a deleted pod's token is refused, while others get certificates. The clock runs from before the order to delete it. */

import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { CODE, dialWire, sign } from "../../test/server/grpc-wire.ts";
import type { LoadFixture } from "../fixture.ts";
import { runLoad } from "../load.ts";
import { percentile } from "../percentile.ts";
import type { Measure } from "../report.ts";
import type { BenchServer } from "../server.ts";
import type { KubeCaller } from "./callers.ts";
import type { KubeRig } from "./kube-rig.ts";

const askEveryMs = 2;
const timeoutMs = 10_000;
/** The others: so many a second, for longer than it takes. */
const [others, othersEveryMs] = [8, 4];
const othersSeconds = 60;

export async function measureDeletedPods(
  fixture: LoadFixture,
  { cluster }: Pick<KubeRig, "cluster">,
  server: BenchServer,
  callers: readonly KubeCaller[],
): Promise<readonly Measure[]> {
  fixture.progress(`${callers.length} pods deleted, one after the other`);
  const stop = new AbortController();
  const loading = loadUntil(fixture, server, stop.signal);
  const rootPem = await readFile(fixture.rootFile, "utf8");
  const took: number[] = [];
  {
    await using wire = dialWire({ address: server.address, rootPem });
    const ask = async ({ token }: KubeCaller): Promise<number> =>
      (await sign(wire, { authorization: `Bearer ${token}` })).code;
    for (const caller of callers) {
      const first = await ask(caller);
      if (first !== CODE.ok) throw new Error(`expected a certificate, got code ${first}`);
      const startMs = performance.now();
      const deleting = cluster.deletePod(caller.pod);
      while ((await ask(caller)) !== CODE.unauthenticated) {
        if (performance.now() - startMs > timeoutMs) throw new Error("the token still counts");
        await sleep(askEveryMs);
      }
      took.push((performance.now() - startMs) / 1_000);
      await deleting;
    }
  }
  stop.abort();
  await loading;
  const sorted = took.toSorted((a, b) => a - b);
  const name = "a pod deleted, its token refused";
  return [
    {
      name: `${name}: p99`,
      kind: "duration",
      runs: [percentile(sorted, 0.99)],
      bound: { kind: "target", value: 1 },
    },
    { name: `${name}: p50`, kind: "duration", runs: [percentile(sorted, 0.5)] },
  ];
}

/** @throws what fails before it is told to stop */
async function loadUntil(
  { programs, rootFile, requestsFile }: LoadFixture,
  { address }: BenchServer,
  signal: AbortSignal,
): Promise<void> {
  const count = (othersSeconds * 1_000) / othersEveryMs;
  const common = { mode: "steady", fresh: false, serverName: "localhost" } as const;
  const pace = { connections: others, inFlight: others, everyMs: othersEveryMs, count };
  try {
    await runLoad(programs.load, { address, rootFile, requestsFile, ...common, ...pace }, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
