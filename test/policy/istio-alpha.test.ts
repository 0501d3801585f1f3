/** Where an imported policy of Istio 1.0 ends TLS: Istio's own cases. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { objectsByKind } from "../../src/core/policy/mesh-of.ts";
import { PeerPolicies } from "../../src/core/policy/peer-policies.ts";
import { serverMode } from "../../src/core/policy/server-mode.ts";
import { formatYaml } from "../../src/edge/config/yaml.ts";
import { importIstio } from "../../src/edge/resources/import/import-istio.ts";
import { parseManifests } from "../../src/edge/resources/parse-manifests.ts";
import { labelsOf } from "../support/policy-objects.ts";
import { readVectors } from "./istio-vectors.ts";

interface AlphaTls {
  readonly cases: readonly {
    readonly name: string;
    readonly spec: object | null;
    readonly endsTls: boolean;
    readonly ours?: string;
  }[];
}

describe("Istio 1.0: a policy that is imported ends TLS where it did", () => {
  const { cases } = readVectors("alpha-tls.json") as AlphaTls;
  for (const { name, spec, endsTls, ours = endsTls ? "strict" : "disable" } of cases) {
    test(name, () => {
      const metadata = { namespace: "default", name: "p" };
      const policy = { apiVersion: "authentication.istio.io/v1alpha1", kind: "Policy", metadata };
      const text = spec === null ? "" : JSON.stringify({ ...policy, spec });
      const { carried, lost } = importIstio([{ name: "f", text }], "istio-system");
      const yaml = carried.map(({ manifest }) => formatYaml(manifest)).join("---\n");
      const objects = parseManifests(yaml, "out").objects.map(({ object }) => object);
      const policies = new PeerPolicies("istio-system", objectsByKind(objects).peers);
      const workload = { namespace: "default", labels: labelsOf() };
      assert.equal(serverMode(policies, workload, 80).mode, ours);
      const written = JSON.stringify(spec);
      for (const word of ["jwt", "allowTls"]) {
        assert.equal(
          lost.some((line) => line.includes(word)),
          written.includes(word),
          word,
        );
      }
    });
  }
});
