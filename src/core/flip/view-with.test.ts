import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { policyChanges } from "../../../test/support/policy-changes.ts";
import { MeshView } from "../policy/mesh-view.ts";
import { refKey, type PolicyObject } from "../resources/policy-object.ts";
import { targetDecisions, targetPorts } from "./target-modes.ts";
import { membersOf, type FlipTarget } from "./target.ts";
import { namespaceOf, namespaceView } from "./view-with.ts";

const targets: readonly FlipTarget[] = ["a", "b", "istio-system"].flatMap((namespace) => [
  { text: namespace, namespace, name: "", selector: {}, ports: [] },
  { text: `${namespace}/m`, namespace, name: "m", selector: { app: "x" }, ports: [] },
  { text: `${namespace}/m:80`, namespace, name: "m", selector: { tier: "1" }, ports: [80] },
]);

test("what a namespace's workloads take is decided from the namespace as from the whole mesh", () => {
  fc.assert(
    fc.property(policyChanges, (changes) => {
      const objects = new Map<string, PolicyObject>();
      for (const each of changes) {
        if (each.kind === "set") objects.set(refKey(each.object.object.ref), each.object);
      }
      const all = [...objects.values()];
      const whole = new MeshView(all, "td");
      for (const target of targets) {
        const part = namespaceView(all, target.namespace, "td");
        assert.deepEqual(targetPorts(part, target), targetPorts(whole, target));
        assert.deepEqual(membersOf(part, target), membersOf(whole, target));
        const decided = (all: ReturnType<typeof targetDecisions>): ReadonlySet<string> =>
          new Set(all.map(({ port, decision }) => JSON.stringify([port, decision])));
        assert.deepEqual(
          decided(targetDecisions(part, target)),
          decided(targetPorts(part, target)),
        );
        assert.deepEqual(namespaceOf(whole, target.namespace).objects, part.objects);
      }
    }),
  );
});
