/** What each endpoint of a service takes and is sent, where Istio guesses for the whole: Istio's own cases. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decideCalls } from "../../src/core/policy/calls.ts";
import { meshOf, objectsByKind } from "../../src/core/policy/mesh-of.ts";
import { takesMeshTls } from "../../src/core/resources/workload-entry.ts";
import { labelsOf } from "../support/policy-objects.ts";
import { peerPolicy, readObjects, readVectors, type WrittenPolicy } from "./istio-vectors.ts";

interface ServiceModes {
  readonly policies: readonly WrittenPolicy[];
  readonly cases: readonly {
    readonly name: string;
    readonly namespace: string;
    readonly isHeadless: boolean;
    readonly ours: readonly {
      readonly labels: Readonly<Record<string, string>>;
      readonly hasProxy: boolean;
      readonly mode: string;
      readonly sends: string;
    }[];
  }[];
}

describe("TestBestEffortInferServiceMTLSMode: each endpoint for itself", () => {
  const { policies, cases } = readVectors("service-mode.json") as ServiceModes;
  for (const { name, namespace, isHeadless, ours } of cases) {
    for (const isInternal of [true, false]) {
      test(isInternal ? name : `${name}, outside of the mesh`, () => {
        const host = `some-service.${namespace}.svc.cluster.local`;
        const endpoints = ours.map(({ labels, hasProxy }, index) => {
          return { address: `10.0.0.${index}`, labels, ...(hasProxy && { serviceAccount: "a" }) };
        });
        const location = isInternal ? "MESH_INTERNAL" : "MESH_EXTERNAL";
        const ports = [{ number: 80, name: "http", protocol: "HTTP" }];
        const where = isHeadless ? { resolution: "NONE" } : { resolution: "STATIC", endpoints };
        const spec = { hosts: [host], location, ports, ...where };
        const service = { kind: "ServiceEntry", namespace, name: "some-service", spec };
        const { objects, refused } = readObjects([...policies.map(peerPolicy), service]);
        assert.deepEqual(refused, []);
        const mesh = meshOf(objectsByKind(objects), "td.test");
        const client = { namespace: "client", labels: labelsOf() };
        const answer = decideCalls(mesh, client, { host, port: 80, subset: "" });
        assert(answer.kind === "known");
        const found = answer.calls.map(({ endpoint: { endpoint }, server, client: { sent } }) => ({
          labels: Object.fromEntries(endpoint.labels),
          hasProxy: takesMeshTls(endpoint),
          mode: server?.mode,
          sends: sent.kind,
        }));
        const outside = { mode: undefined, sends: "plaintext" };
        assert.deepEqual(found, isInternal ? ours : ours.map((each) => ({ ...each, ...outside })));
      });
    }
  }
});
