import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { testPod } from "../../../test/support/kube-objects.ts";
import { ObjectCache } from "./object-cache.ts";
import { mayRun, type Pod } from "./pod.ts";
import { PodPlaces } from "./pod-places.ts";

const nowMs = 1_000_000;
const nodes = ["", "node-1", "node-2"];
const accounts = ["cart", "pay"];

const pods = fc.record({
  name: fc.constantFrom("a", "b", "c"),
  uid: fc.constantFrom("1", "2"),
  nodeName: fc.constantFrom(...nodes),
  serviceAccount: fc.constantFrom(...accounts),
  phase: fc.constantFrom("Running", "Failed", "Pending" as const),
  deletionMs: fc.constantFrom(undefined, nowMs - 60_001, nowMs),
});

test("says of each node who runs there, whatever came, changed and went before", () => {
  const steps = fc.array(fc.record({ pod: pods, isThere: fc.boolean() }), { maxLength: 20 });
  fc.assert(
    fc.property(steps, (all) => {
      const cache = new ObjectCache<Pod>();
      const places = new PodPlaces();
      for (const { pod, isThere } of all) {
        places.take(isThere ? cache.set(testPod(pod)) : cache.delete(testPod(pod)));
      }
      for (const node of nodes) {
        for (const account of accounts) {
          const isThere = [...cache.values()].some(
            (pod) =>
              node !== "" &&
              pod.nodeName === node &&
              pod.serviceAccount === account &&
              mayRun(pod, nowMs),
          );
          assert.equal(places.runsOn(node, "shop", account, nowMs), isThere);
        }
      }
    }),
  );
});

test("knows nobody of another namespace", () => {
  const places = new PodPlaces();
  places.take([{ before: undefined, after: testPod() }]);
  assert.ok(places.runsOn("node-1", "shop", "cart", nowMs));
  assert.ok(!places.runsOn("node-1", "other", "cart", nowMs));
});
