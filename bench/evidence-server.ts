/** A thousand agents' deltas: what the server's process uses while each reports ten callers of its proxy every ten seconds, beyond what it uses anyway. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Fixture } from "./fixture.ts";
import { IdleCosts } from "./idle-costs.ts";
import type { Measure } from "./report.ts";
import { StreamsRig } from "./streams-rig.ts";

const agents = 1_000;
/** The first one at any moment of the first ten seconds. */
const [reports, intervalMs] = [4, 10_000];
/** From when on all of them report, and for how long they do. */
const [leadMs, measuredMs] = [10_000, 20_000];
const settleMs = 4_000;
const timeoutMs = 120_000;
/** Of a core, in CPU time of a second: 10 %. */
const microsMax = 100_000;

export async function benchServerEvidence(fixture: Fixture): Promise<readonly Measure[]> {
  const { signal, progress } = fixture;
  const name = `${agents.toLocaleString("en")} agents' deltas of 10 callers every 10 s`;
  await using rig = await StreamsRig.open(fixture, agents, "policy");
  const costs = new IdleCosts([rig.server.pid]);
  progress(`${name}: nothing is reported`);
  await costs.begin();
  await sleep(settleMs, undefined, { signal });
  await costs.end();
  const idle = costs.microsPerMs * 1_000;
  progress(`${name}: deltas`);
  rig.agents.command(`tell ${reports} ${intervalMs}`);
  await sleep(leadMs, undefined, { signal });
  await costs.begin();
  await sleep(measuredMs, undefined, { signal });
  await costs.end();
  const busy = costs.microsPerMs * 1_000;
  // All of them were acknowledged, so all of them are on the disk.
  await rig.agents.done("told", 1, timeoutMs);
  const bound = { kind: "target", value: microsMax } as const;
  return [
    { name: `${name}: server CPU a second`, kind: "cpu", runs: [busy], bound },
    {
      name: `${agents.toLocaleString("en")} agents, no deltas: server CPU a second`,
      kind: "cpu",
      runs: [idle],
    },
  ];
}
