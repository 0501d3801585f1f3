/** Manifests: YAML of Istio's objects that an operator wrote, or that somebody put in their place. */

import assert from "node:assert/strict";
import { formatYaml } from "../../../src/edge/config/yaml.ts";
import { parseManifest, parseManifests } from "../../../src/edge/resources/parse-manifests.ts";
import { textOf, type FuzzTarget } from "../target.ts";

const security = "security.istio.io/v1";
const networking = "networking.istio.io/v1";
const metadata = { name: "api", namespace: "shop", creationTimestamp: "2026-01-31T12:00:00Z" };
const tls = { mode: "SIMPLE", caCertificates: "/ca.pem", subjectAltNames: ["a.b"] };

const documents = {
  peer: {
    apiVersion: security,
    kind: "PeerAuthentication",
    metadata,
    spec: {
      selector: { matchLabels: { app: "api" } },
      mtls: { mode: "STRICT" },
      portLevelMtls: { 8080: { mode: "DISABLE" } },
    },
  },
  rule: {
    apiVersion: networking,
    kind: "DestinationRule",
    metadata,
    spec: {
      host: "api",
      trafficPolicy: {
        tls,
        portLevelSettings: [{ port: { number: 80 }, tls: { mode: "DISABLE" } }],
      },
      subsets: [{ name: "v1", labels: { version: "v1" } }],
    },
  },
  service: {
    apiVersion: networking,
    kind: "ServiceEntry",
    metadata,
    spec: {
      hosts: ["api.shop.internal"],
      resolution: "STATIC",
      ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 8080 }],
      endpoints: [{ address: "10.0.0.1", ports: { http: 8081 } }],
    },
  },
  sidecar: {
    apiVersion: networking,
    kind: "Sidecar",
    metadata,
    spec: {
      ingress: [{ port: { number: 80 }, defaultEndpoint: "127.0.0.1:8080" }],
      egress: [{ hosts: ["./*"] }],
    },
  },
  mesh: {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "istio", namespace: "istio-system" },
    data: { mesh: "rootNamespace: root\n" },
  },
};

export const manifests: FuzzTarget = {
  name: "manifests",
  shape: "text",
  dictionary: [
    "&a ",
    "*a",
    "!!str ",
    "---\n",
    "? ",
    "|\n",
    "__proto__: ",
    "constructor: ",
    "kind: List\nitems:\n- ",
    "null",
    "1e999",
    '"*"',
    "unix:///",
    "[::1]:1",
  ],
  seeds: () => ({
    ...Object.fromEntries(
      Object.entries(documents).map(([name, each]) => [name, formatYaml(each)]),
    ),
    all: Object.values(documents).map(formatYaml).join("---\n"),
  }),
  check: (input) => {
    const { objects, problems } = parseManifests(textOf(input), "f");
    for (const { origin, path, text } of problems) {
      assert.match(origin, /^f(:\d+)?$/);
      assert.ok(text !== "" && text.length <= 1_024 && path.length <= 1_024);
    }
    for (const { object, manifest } of objects) {
      const again = parseManifest(JSON.stringify(manifest), "f").objects[0];
      assert.deepEqual(again?.object, object);
      assert.equal(JSON.stringify(again.manifest), JSON.stringify(manifest));
    }
    return objects.length > 0;
  },
};
