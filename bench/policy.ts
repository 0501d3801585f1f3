/**
 * What a change of policy costs in meshes of 100, 1,000 and 10,000 workloads: from the object to the new policies of all whom it concerns.
 * It is to grow with them, not with the mesh.
 */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { promisify } from "node:util";
import { clientDecision } from "../src/core/policy/client-decision.ts";
import { PeerPolicies } from "../src/core/policy/peer-policies.ts";
import { PolicyIndex } from "../src/core/policy/policy-index.ts";
import { serverMode } from "../src/core/policy/server-mode.ts";
import type { PolicyObject } from "../src/core/resources/policy-object.ts";
import type { Fixture } from "./fixture.ts";
import { makePolicyMesh, namespaceOf, peerOf, ruleOf, wide, workloadOf } from "./policy-mesh.ts";
import type { Measure } from "./report.ts";

const sizes = [100, 1_000, 10_000] as const;
const largest = 10_000;
/** Changes in a run: of few workloads, and of all. */
const [few, wides] = [400, 10];
const decisions = 20_000;
const changeMicrosMax = 20_000;
const decisionMicrosMax = 5;
const heapMax = 2_048;
/** Whose policies change. */
const service = 7;

/** The same object, once so and once otherwise. */
type Change = (isOdd: boolean, number: number) => PolicyObject;

const kinds: readonly (readonly [name: string, change: Change])[] = [
  ["a workload's mode", (isOdd) => peerOf(service, isOdd ? "STRICT" : "PERMISSIVE")],
  [
    "a host's rule",
    (isOdd) => ruleOf(service, namespaceOf(service), isOdd ? "DISABLE" : "ISTIO_MUTUAL"),
  ],
  [
    "an endpoint's address",
    (_, number) => {
      const object = {
        ...workloadOf(service, 0),
        address: `10.255.${number >> 8}.${number & 255}`,
      };
      return { kind: "WorkloadEntry", object };
    },
  ],
];

export async function benchPolicy({
  size,
  signal,
  progress,
}: Fixture): Promise<readonly Measure[]> {
  const measures: Measure[] = [];
  for (const workloads of sizes) {
    progress(`policies of ${workloads} workloads`);
    const index = indexOf(workloads, []);
    const bound = { kind: "target", value: changeMicrosMax } as const;
    const named = (of: string): string =>
      `policies, ${workloads.toLocaleString("en")} workloads: ${of}`;
    for (const [of, change] of kinds) {
      const runs = await runsOf(size.runs, () => microsOf(index, change, few));
      measures.push({ name: named(of), kind: "cpu", runs, bound });
    }
    // Where no workload has a policy of its own, all change.
    const open = indexOf(workloads, ["PeerAuthentication"]);
    const mesh: Change = (isOdd) => wide("istio-system", isOdd ? "STRICT" : "PERMISSIVE");
    const runs = await runsOf(size.runs, () => microsOf(open, mesh, wides));
    measures.push({ name: named("all workloads' mode"), kind: "cpu", runs });
  }
  const micros = await runsOf(size.runs, decisionMicros);
  const decided = { kind: "target", value: decisionMicrosMax } as const;
  measures.push({
    name: "policies: a decision, both sides",
    kind: "cpu",
    runs: micros,
    bound: decided,
  });
  const heap = { kind: "target", value: heapMax } as const;
  const octets = [await heapOf(largest, signal)];
  measures.push({ name: "policies: heap of a workload", kind: "size", runs: octets, bound: heap });
  return measures;
}

function indexOf(workloads: number, without: readonly PolicyObject["kind"][]): PolicyIndex {
  const index = new PolicyIndex("cluster.local");
  const { objects, proxies } = makePolicyMesh(workloads);
  for (const object of objects) if (!without.includes(object.kind)) index.set(object);
  for (const proxy of proxies) index.addProxy(proxy);
  index.takeChanged();
  return index;
}

/** The first is for V8. */
async function runsOf(runs: number, measure: () => number): Promise<readonly number[]> {
  const values: number[] = [];
  for (let run = 0; run <= runs; run++) {
    const value = measure();
    if (run > 0) values.push(value);
    await nextTurn();
  }
  return values;
}

/** CPU of this thread: nobody waits for anything else, and a busy machine makes it no dearer. The clock is too coarse for one. */
function microsOf(index: PolicyIndex, change: Change, changes: number): number {
  const before = process.threadCpuUsage();
  for (let number = 0; number < changes; number++) {
    index.set(change(number % 2 === 0, number));
    if (index.takeChanged().size === 0) throw new Error("expected a change to concern somebody");
  }
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / changes;
}

/** What a port takes and what a client sends there, among all policies. */
function decisionMicros(): number {
  const { objects } = makePolicyMesh(largest);
  const peers = new PeerPolicies("istio-system");
  for (const each of objects) if (each.kind === "PeerAuthentication") peers.set(each.object);
  const called = objects.find((each) => each.kind === "ServiceEntry")?.object;
  const port = called?.ports[0];
  if (called === undefined || port === undefined) throw new Error("expected a service with a port");
  const { ref, isInternal } = called;
  const identities = ["spiffe://cluster.local/ns/team-0/sa/service-0"];
  const of = {
    ref,
    host: called.hosts[0] ?? "",
    port,
    isInternal,
    identities,
    subjectAltNames: [],
  };
  const { labels } = workloadOf(service, 0);
  const target = { namespace: namespaceOf(service), labels };
  const before = process.threadCpuUsage();
  for (let round = 0; round < decisions; round++) {
    const { mode } = serverMode(peers, target, 8_080 + (round % 3));
    const endpoint = { takesMeshTls: true, mode };
    const call = { service: of, subset: "", endpoint, rule: undefined, enableAutoMtls: true };
    if (clientDecision(call).sent.kind !== "mtls") throw new Error("expected mTLS");
  }
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / decisions;
}

async function heapOf(workloads: number, signal: AbortSignal): Promise<number> {
  const script = join(import.meta.dirname, "policy-heap.ts");
  const argv = ["--expose-gc", script, String(workloads)];
  const { stdout } = await promisify(execFile)(process.execPath, argv, { signal });
  return Number(stdout);
}
