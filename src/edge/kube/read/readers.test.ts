import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { JsonObject } from "../../../core/identity/json-object.ts";
import { namespaces, pods, serviceAccounts } from "./read-identities.ts";
import { policyKinds } from "./read-policy-objects.ts";
import { endpointSlices, services } from "./read-services.ts";

const kinds = { namespaces, pods, serviceAccounts, services, endpointSlices };

const policies = policyKinds.map((each) => [each.path.split("/").at(-1) ?? "", each] as const);

const metadata = { name: "a", namespace: "shop", uid: "1" };

/** Each part as it should be, or anything. */
const anything = fc.jsonValue({ maxDepth: 3 });
const objects: fc.Arbitrary<JsonObject> = fc.record(
  {
    metadata: fc.oneof(fc.constant(metadata), anything),
    spec: fc.oneof(
      anything,
      fc.record({
        ports: fc.oneof(anything, fc.array(anything)),
        selector: anything,
        clusterIPs: anything,
        nodeName: anything,
      }),
    ),
    status: fc.oneof(
      anything,
      fc.record({ podIPs: anything, phase: anything, conditions: anything }),
    ),
    endpoints: fc.oneof(anything, fc.array(anything)),
    ports: anything,
  },
  { requiredKeys: [] },
);

describe("what the API server sends", () => {
  for (const [name, { path, parse }] of Object.entries(kinds)) {
    it(`is read as ${name}, or not at all, whatever it is`, () => {
      assert.match(path, /^\/apis?\//);
      fc.assert(
        fc.property(objects, (raw) => {
          const read = parse(raw);
          if (read === undefined) {
            assert.notDeepEqual(raw["metadata"], metadata);
            return;
          }
          assert.ok(read.name !== "" && read.uid !== "");
          for (const [field, value] of Object.entries(read)) {
            const isSmall = value === undefined || typeof value !== "object";
            assert.ok(isSmall || value instanceof Map || Array.isArray(value), field);
          }
        }),
      );
    });

    it(`is dropped once it is read as ${name}`, () => {
      fc.assert(
        fc.property(objects, (raw) => {
          const mine = structuredClone(raw);
          const read = parse(mine);
          spoil(mine);
          assert.deepEqual(read, parse(raw));
        }),
      );
    });
  }

  for (const [plural, { parse }] of policies) {
    it(`is an object of ${plural}, or what is wrong with it, whatever it is`, () => {
      const some = fc.record({
        metadata: fc.constant({ ...metadata, managedFields: [{ manager: "x" }] }),
        spec: anything,
        status: anything,
      });
      fc.assert(
        fc.property(some, (raw) => {
          const { loaded, problems } = parse(raw) ?? { problems: [] };
          const isWrong = problems.some(({ severity }) => severity === "error");
          assert.equal(loaded === undefined, isWrong);
        }),
      );
    });
  }

  it("has no name of a prototype's", () => {
    const labels = JSON.parse('{"__proto__":"x","constructor":"y"}');
    const read = pods.parse({ metadata: { ...metadata, labels } });
    assert.deepEqual(
      [...(read?.labels ?? [])],
      [
        ["__proto__", "x"],
        ["constructor", "y"],
      ],
    );
  });

  it("is a port only where it can be called, over TCP", () => {
    const ports = [
      { port: 80 },
      { port: 0 },
      { port: 65_536 },
      { port: 1.5 },
      { port: "80" },
      { port: 53, protocol: "UDP" },
      { port: 443, protocol: "TCP", name: "https", targetPort: 8443 },
    ];
    assert.deepEqual(services.parse({ metadata, spec: { ports } })?.ports, [
      { number: 80, name: "", protocol: "AUTO", targetPort: undefined },
      { number: 443, name: "https", protocol: "HTTPS", targetPort: 8443 },
    ]);
  });

  it("a pod whose node is lost has not ended, whatever its collector says", () => {
    const phaseWith = (reason: string): string | undefined => {
      const conditions = [{ type: "DisruptionTarget", status: "True", reason }];
      return pods.parse({ metadata, status: { phase: "Failed", conditions } })?.phase;
    };
    assert.equal(phaseWith("DeletionByPodGC"), "Unknown");
    assert.equal(phaseWith("EvictionByEvictionAPI"), "Failed");
  });

  it("has a host's address for each family, also of an old API server", () => {
    const ipsOf = (status: object): readonly string[] | undefined =>
      pods.parse({ metadata, status })?.podIPs;
    assert.deepEqual(
      ipsOf({ podIP: "10.0.0.1", podIPs: [{ ip: "10.0.0.1" }, { ip: "fd00::1" }] }),
      ["10.0.0.1", "fd00::1"],
    );
    assert.deepEqual(ipsOf({ podIP: "10.0.0.1" }), ["10.0.0.1"]);
    assert.deepEqual(ipsOf({}), []);
  });

  it("is headless where it has no address, and elsewhere where it is ExternalName", () => {
    const read = (spec: object) => services.parse({ metadata, spec });
    assert.deepEqual(read({ clusterIP: "None", clusterIPs: ["None"] })?.clusterIPs, []);
    assert.deepEqual(read({ clusterIP: "10.0.0.1" })?.clusterIPs, ["10.0.0.1"]);
    const external = { type: "ExternalName", externalName: "x.example.com" };
    assert.equal(read(external)?.externalName, "x.example.com");
    assert.equal(read({ ...external, type: "ClusterIP" })?.externalName, undefined);
  });

  it("has no endpoints that are names", () => {
    const endpoints = [{ addresses: ["x.example.com"] }];
    const read = endpointSlices.parse({ metadata, addressType: "FQDN", endpoints });
    assert.deepEqual(read?.endpoints, []);
  });
});

/** As if somebody else went on to use it. */
function spoil(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  for (const key of Object.keys(value)) {
    spoil(Reflect.get(value, key));
    Reflect.deleteProperty(value, key);
  }
}
