import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { comparePodAddress, type PodAddress } from "./pod-address.ts";
import type { Pod } from "../pod.ts";

const pod: Pod = {
  namespace: "shop",
  name: "cart-1",
  uid: "u-1",
  createdMs: undefined,
  deletionMs: undefined,
  serviceAccount: "cart",
  nodeName: "n-1",
  phase: "Running",
  podIPs: ["10.1.2.3", "fd00:0:0::3"],
  labels: new Map(),
  hostNetwork: false,
  isReady: true,
};

describe("the address that a pod's token comes from", () => {
  const table: readonly (readonly [string, Partial<Pod>, string, PodAddress])[] = [
    ["is the pod's", {}, "10.1.2.3:40000", "same"],
    ["is the pod's, as a socket for both families says it", {}, "::ffff:10.1.2.3:40000", "same"],
    ["is the pod's second one, however it is written", {}, "[fd00::3]:40000", "same"],
    ["is the pod's second one, without brackets", {}, "fd00::3:40000", "same"],
    ["is another one", {}, "10.1.2.4:40000", "other"],
    ["is another one of the other family", {}, "[fd00::4]:40000", "other"],
    ["is one that only begins as the pod's", {}, "10.1.2.30:40000", "other"],
    ["is its node's for a pod on the host's network", { hostNetwork: true }, "10.1.2.3:1", "same"],
    ["is another node's", { hostNetwork: true }, "10.9.9.9:1", "other"],
    ["is not to compare before the pod has one", { podIPs: [] }, "10.1.2.3:40000", "unknown"],
    ["is not to compare where the call has none", {}, "unknown", "unknown"],
    ["is not to compare where it is a path", {}, "unix:/run/x.sock", "unknown"],
  ];
  for (const [title, changes, peer, expected] of table) {
    it(title, () => assert.equal(comparePodAddress({ ...pod, ...changes }, peer), expected));
  }
});
