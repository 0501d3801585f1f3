import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { naivePolicy } from "../../../test/support/naive-policy.ts";
import { policyChanges, type PolicyChange } from "../../../test/support/policy-changes.ts";
import { refKey, type PolicyObject } from "../resources/policy-object.ts";
import type { Hold } from "./holds.ts";
import { PolicyIndex } from "./policy-index.ts";
import type { ProxyIdentity } from "./proxy-identity.ts";
import type { ProxyPolicy } from "./proxy-policy.ts";

const trustDomain = "mesh.example";

interface Told {
  readonly policy: ProxyPolicy;
  readonly address: string | undefined;
}

class Model {
  readonly index: PolicyIndex = new PolicyIndex(trustDomain);
  readonly objects: Map<string, PolicyObject> = new Map();
  readonly proxies: Map<string, ProxyIdentity> = new Map();
  readonly taken: Map<string, Told> = new Map();
  holds: readonly Hold[] = [];

  apply(change: PolicyChange): void {
    switch (change.kind) {
      case "set":
        this.objects.set(refKey(change.object.object.ref), change.object);
        return this.index.set(change.object);
      case "delete":
        this.objects.delete(refKey(change.ref));
        return this.index.delete(change.ref);
      case "add-proxy":
        this.proxies.set(change.identity.key, change.identity);
        return this.index.addProxy(change.identity);
      case "remove-proxy":
        this.proxies.delete(change.key);
        this.taken.delete(change.key);
        return this.index.removeProxy(change.key);
      case "hold":
        this.holds = change.holds;
        return this.index.hold(change.holds);
      case "look":
        return this.look();
      case "take":
        return this.take();
      default:
        return change satisfies never;
    }
  }

  look(): void {
    for (const [key, identity] of this.proxies) {
      assert.deepEqual(this.index.desired(key), this.naive(identity));
    }
  }

  take(): void {
    const expected = new Map<string, ProxyPolicy>();
    for (const [key, identity] of this.proxies) {
      const policy = this.naive(identity);
      const told = { policy, address: this.addressOf(identity) };
      const before = this.taken.get(key);
      if (before === undefined || !equal(before, told)) expected.set(key, policy);
      this.taken.set(key, told);
    }
    const changed = this.index.takeChanged();
    assert.deepEqual([...changed.keys()].toSorted(), [...expected.keys()].toSorted());
    for (const [key, policy] of expected) assert.deepEqual(changed.get(key), policy);
    this.look();
  }

  addressOf({ namespace, nodeId, serviceAccount }: ProxyIdentity): string | undefined {
    const entry = this.objects.get(`WorkloadEntry/${namespace}/${nodeId}`);
    if (entry?.kind !== "WorkloadEntry" || entry.object.serviceAccount !== serviceAccount) {
      return undefined;
    }
    return entry.object.address;
  }

  naive(identity: ProxyIdentity): ProxyPolicy {
    return naivePolicy([...this.objects.values()], trustDomain, identity, this.holds);
  }
}

function equal(a: unknown, b: unknown): boolean {
  try {
    assert.deepEqual(a, b);
    return true;
  } catch {
    return false;
  }
}

test("says what a naive look at all objects says after any changes, and names who changed and nobody else", () => {
  fc.assert(
    fc.property(policyChanges, (changes) => {
      const model = new Model();
      for (const change of changes) model.apply(change);
      model.take();
      const policies = [...model.proxies.keys()].map((key) => model.index.desired(key));
      assert.equal(model.index.takeChanged().size, 0);
      // The same objects, not only equal ones.
      for (const key of model.proxies.keys()) {
        assert.equal(model.index.desired(key), policies.shift());
      }
    }),
    { numRuns: 300 },
  );
});
