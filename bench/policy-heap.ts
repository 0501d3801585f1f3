/**
 * What the index of policies takes of the heap, for each workload: a process of its own, since what else lives in a bench is larger.
 *
 * Usage: node --expose-gc policy-heap.ts WORKLOADS. Prints octets.
 */

import { PolicyIndex } from "../src/core/policy/policy-index.ts";
import { makePolicyMesh } from "./policy-mesh.ts";

const workloads = Number(process.argv[2]);
// Once for the code itself.
const warm = fill(new PolicyIndex("cluster.local"), 100);
const mesh = makePolicyMesh(workloads);
const before = heapUsed();
const index = new PolicyIndex("cluster.local");
for (const object of mesh.objects) index.set(object);
for (const proxy of mesh.proxies) index.addProxy(proxy);
index.takeChanged();
const used = heapUsed() - before;
if (warm.desired("") !== index.desired("")) throw new Error("expected no policy for nobody");
process.stdout.write(`${Math.round(used / workloads)}\n`);

function fill(of: PolicyIndex, size: number): PolicyIndex {
  const { objects, proxies } = makePolicyMesh(size);
  for (const object of objects) of.set(object);
  for (const proxy of proxies) of.addProxy(proxy);
  of.takeChanged();
  return of;
}

function heapUsed(): number {
  if (globalThis.gc === undefined) throw new Error("expected --expose-gc");
  globalThis.gc();
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}
