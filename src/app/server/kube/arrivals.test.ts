import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Pod } from "../../../core/kube/pod.ts";
import { testPod } from "../../../../test/support/kube-objects.ts";
import { Arrivals, placeKey } from "./arrivals.ts";

const arrived = (pod: Pod): readonly [{ before: undefined; after: Pod }] => [
  { before: undefined, after: pod },
];

describe("who waits for the watch", () => {
  it("is woken by what it waits for, and by nothing else", async () => {
    const arrivals = new Arrivals();
    const pod = testPod();
    const waits = arrivals.next(pod.uid, 10_000);
    const others = arrivals.next("another", 20);
    arrivals.take(arrived(pod));
    assert.deepEqual(await Promise.all([waits, others]), [true, false]);
  });

  it("is woken by a pod of an account on a node", async () => {
    const arrivals = new Arrivals();
    const pod = { ...testPod(), nodeName: "n-1" };
    const waits = arrivals.next(placeKey(pod), 10_000);
    const elsewhere = arrivals.next(placeKey({ ...pod, nodeName: "n-2" }), 20);
    arrivals.takePods(arrived(pod));
    assert.deepEqual(await Promise.all([waits, elsewhere]), [true, false]);
  });

  it("does not wait when its time is over", async () => {
    assert.equal(await new Arrivals().next("uid", 0), false);
    assert.equal(await new Arrivals().next("uid", 1), false);
  });

  it("is one of at most 4096", async () => {
    const arrivals = new Arrivals();
    const pod = testPod();
    const waits = Array.from({ length: 4_096 }, () => arrivals.next(pod.uid, 10_000));
    assert.equal(await arrivals.next("one more", 10_000), false);
    arrivals.take(arrived(pod));
    assert.ok((await Promise.all(waits)).every(Boolean));
    assert.equal(await arrivals.next("room again", 1), false);
  });
});
