/**
 * The gates of a rotation over 10,000 verifiers, as the decision code computes them: 5,000 agents with a proxy and an
 * unexpired certificate each; open, and closed by all of them.
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import { holderGate } from "../src/core/roll/holder-gate.ts";
import type { Gate } from "../src/core/roll/laggard.ts";
import { LeafHolders } from "../src/core/roll/leaf-holders.ts";
import { verifierGate } from "../src/core/roll/verifier-gate.ts";
import { envoy, former, leaf, NOW_MS, present, RollScene } from "../test/support/roll-scene.ts";
import type { Fixture } from "./fixture.ts";
import type { Measure } from "./report.ts";

const workloads = 5_000;
const rounds = 200;
const namedMax = 10;
const microsMax = 5_000;

export async function benchGate({ size, progress }: Fixture): Promise<Measure[]> {
  const open = sceneOf(present);
  const closed = sceneOf(former);
  const holders = holdersOf();
  const gates: readonly (readonly [string, "open" | "closed", () => Gate])[] = [
    ["verifiers, open", "open", () => verifierGate(open.view(), NOW_MS, namedMax)],
    ["verifiers, all lag", "closed", () => verifierGate(closed.view(), NOW_MS, namedMax)],
    ["holders, all left", "closed", () => holderGate(holderView(holders), NOW_MS, namedMax)],
  ];
  const measures: Measure[] = [];
  for (const [name, kind, gate] of gates) {
    progress(`a gate of 10,000 verifiers: ${name}`);
    const runs: number[] = [];
    for (let run = 0; run <= size.runs; run++) {
      const micros = microsOf(gate, kind);
      // The first run is for V8.
      if (run > 0) runs.push(micros);
      await nextTurn();
    }
    const bound = { kind: "target", value: microsMax } as const;
    measures.push({ name: `a gate of 10,000 verifiers: ${name}`, kind: "cpu", runs, bound });
  }
  return measures;
}

/** CPU of this thread: a busy machine makes no gate dearer. */
function microsOf(gate: () => Gate, kind: Gate["kind"]): number {
  const before = process.threadCpuUsage();
  for (let round = 0; round < rounds; round++) {
    const found = gate();
    if (found.kind !== kind) throw new Error(`expected the gate to be ${kind}, got ${found.kind}`);
  }
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / rounds;
}

function reporterOf(number: number) {
  return { agentId: `agent-${number}`, spiffeId: `spiffe://td/ns/shop/sa/service-${number}` };
}

function sceneOf(rootsDigest: string): RollScene {
  const scene = new RollScene();
  for (let number = 0; number < workloads; number++) {
    const reporter = reporterOf(number);
    scene.connect(reporter, [envoy(`envoy-${number}`, rootsDigest)], rootsDigest);
    scene.owners.add(leafOf(number));
  }
  return scene;
}

function holdersOf(): LeafHolders {
  const holders = new LeafHolders();
  for (let number = 0; number < workloads; number++) holders.add(leafOf(number));
  holders.built();
  return holders;
}

function leafOf(number: number) {
  const { agentId: agent, spiffeId: identity } = reporterOf(number);
  const serialHex = number.toString(16).padStart(32, "5");
  return leaf({ agent, identity, serialHex, intentIndex: 2 * number, root: "0a" });
}

function holderView(holders: LeafHolders): Parameters<typeof holderGate>[0] {
  return {
    holders,
    root: "0a",
    own: [],
    leafAt: (intentIndex) => leafOf(intentIndex / 2),
    waived: new Set(),
    waivedLeaves: new Set(),
    skewMs: 0,
    lostUntilMs: 0,
    isAdopted: false,
  };
}
