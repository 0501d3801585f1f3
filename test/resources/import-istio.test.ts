import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { PeerPolicies } from "../../src/core/policy/peer-policies.ts";
import { serverMode } from "../../src/core/policy/server-mode.ts";
import { formatYaml } from "../../src/edge/config/yaml.ts";
import { importIstio } from "../../src/edge/resources/import/import-istio.ts";
import { parseManifests } from "../../src/edge/resources/parse-manifests.ts";
import { labelsOf } from "../support/policy-objects.ts";

const alpha = "authentication.istio.io/v1alpha1";

interface WrittenPolicy {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly spec: object;
}

const written = ({ kind, name, namespace, spec }: WrittenPolicy) => ({
  apiVersion: alpha,
  kind,
  metadata: { name, ...(namespace !== undefined && { namespace }) },
  spec,
});

const service = (
  name: string,
  selector: object,
  ports: readonly object[],
  namespace = "default",
) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace },
  spec: { selector, ports },
});

function imported(...documents: readonly object[]) {
  const text = documents.map((each) => JSON.stringify(each)).join("\n---\n");
  const { carried, lost } = importIstio([{ name: "f", text }], "istio-system");
  const yaml = carried.map(({ manifest }) => formatYaml(manifest)).join("---\n");
  const { objects, problems } = parseManifests(yaml, "out");
  assert.deepEqual(
    problems.filter(({ severity }) => severity === "error"),
    [],
  );
  assert.deepEqual(
    objects.map(({ manifest }) => manifest),
    carried.map(({ manifest }) => manifest),
  );
  const peers = objects.flatMap(({ object }) => {
    return object.kind === "PeerAuthentication" ? [object.object] : [];
  });
  const policies = new PeerPolicies("istio-system", peers);
  const modeOf = (namespace: string, labels: Readonly<Record<string, string>>, port: number) =>
    serverMode(policies, { namespace, labels: labelsOf(labels) }, port).mode;
  return { lost, modeOf, manifests: carried.map(({ manifest }) => manifest) };
}

interface Suite {
  readonly name: string;
  readonly policies: readonly WrittenPolicy[];
  readonly cases: readonly {
    readonly service: string;
    readonly namespace: string;
    readonly port: number;
    readonly policy: string | null;
  }[];
}

describe("Istio 1.0's own cases: the same policy counts", () => {
  const file = new URL("../vectors/istio/alpha-policy.json", import.meta.url);
  const { suites } = JSON.parse(readFileSync(file, "utf8")) as {
    readonly suites: readonly Suite[];
  };
  const ports = [80, 8080, 9090].map((port) => ({ port, name: `p${port}` }));
  for (const { name: suite, policies, cases } of suites) {
    const services = ["default", "another-galaxy"].flatMap((namespace) =>
      ["hello", "world"].map((name) => service(name, { app: name }, ports, namespace)),
    );
    const { modeOf } = imported(...policies.map(written), ...services);
    for (const { service: name, namespace, port, policy } of cases) {
      test(`${suite}: ${name}.${namespace}:${port}`, () => {
        const counting = policies.find((each) => {
          return policy === "mesh"
            ? each.kind === "MeshPolicy"
            : each.namespace === namespace && each.name === policy;
        });
        const takesMtls = counting !== undefined && "peers" in counting.spec;
        const expected = counting === undefined ? "permissive" : takesMtls ? "strict" : "disable";
        assert.equal(modeOf(namespace, { app: name }, port), expected);
      });
    }
  }
});

const policy = (spec: object, name = "p") =>
  written({ kind: "Policy", name, namespace: "default", spec });
const target = (...ports: readonly object[]) => ({ targets: [{ name: "web", ports }] });
const strict = { peers: [{ mtls: {} }] };

const modes: readonly (readonly [title: string, spec: object, mode: string, lost: number])[] = [
  ["no peers", {}, "disable", 0],
  ["an empty list of peers", { peers: [] }, "disable", 0],
  ["mtls: {}", strict, "strict", 0],
  ["mtls without anything", { peers: [{ mtls: null }] }, "strict", 0],
  ["mode STRICT", { peers: [{ mtls: { mode: "STRICT" } }] }, "strict", 0],
  ["mode PERMISSIVE", { peers: [{ mtls: { mode: "PERMISSIVE" } }] }, "permissive", 0],
  ["allow_tls", { peers: [{ mtls: { allow_tls: true } }] }, "strict", 1],
  ["allowTls", { peers: [{ mtls: { allowTls: true } }] }, "strict", 1],
  ["a JWT of the peer alone", { peers: [{ jwt: { issuer: "x" } }] }, "disable", 1],
  ["a JWT and mTLS", { peers: [{ jwt: {} }, { mtls: {} }] }, "strict", 1],
  ["peer_is_optional", { ...strict, peer_is_optional: true }, "strict", 1],
  ["origins", { ...strict, origins: [{ jwt: {} }], principal_binding: "USE_ORIGIN" }, "strict", 2],
];

describe("what a port takes", () => {
  for (const [title, spec, mode, lost] of modes) {
    test(`${title} is ${mode}${lost > 0 ? ", and what is lost has a line" : ""}`, () => {
      const found = imported(policy(spec));
      assert.equal(found.modeOf("default", { app: "any" }, 80), mode);
      assert.equal(found.lost.length, lost, found.lost.join("\n"));
    });
  }
});

test("a service's port is the workload's by its target port, by number and by name", () => {
  const { modeOf, lost } = imported(
    policy({ ...target({ number: 80 }, { name: "grpc" }), ...strict }),
    service("web", { tier: "front" }, [
      { port: 80, name: "http", targetPort: 8080 },
      { port: 90, name: "grpc" },
      { port: 91, name: "other", targetPort: 9191 },
    ]),
  );
  assert.deepEqual(lost, []);
  const at = (port: number) => modeOf("default", { tier: "front" }, port);
  assert.deepEqual([8080, 90, 80, 9191].map(at), ["strict", "strict", "permissive", "permissive"]);
});

test("a ServiceEntry that selects workloads explains a target as well, and comes along", () => {
  const entry = {
    apiVersion: "networking.istio.io/v1alpha3",
    kind: "ServiceEntry",
    metadata: { name: "any", namespace: "default" },
    spec: {
      hosts: ["web.default.svc.cluster.local"],
      location: "MESH_INTERNAL",
      resolution: "STATIC",
      ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 8080 }],
      workloadSelector: { labels: { app: "w" } },
    },
  };
  const { modeOf, lost, manifests } = imported(
    policy({ ...target({ number: 80 }), ...strict }),
    entry,
  );
  assert.deepEqual(lost, []);
  assert.equal(modeOf("default", { app: "w" }, 8080), "strict");
  assert.deepEqual(
    manifests.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`),
    ["security.istio.io/v1 PeerAuthentication", "networking.istio.io/v1 ServiceEntry"],
  );
});

test("of a service that is not there app: NAME is assumed, and said; a port by name cannot be", () => {
  const { modeOf, lost } = imported(
    policy({ ...target({ number: 80 }, { name: "grpc" }), ...strict }),
  );
  assert.equal(modeOf("default", { app: "web" }, 80), "strict");
  assert.equal(lost.length, 2);
  assert.match(lost.join("\n"), /assumed that it selects app: web/);
  assert.match(lost.join("\n"), /port grpc of web: its number is not known/);
});

test("several policies of one service are one, and the first of each port counts", () => {
  const web = service("web", { app: "web" }, [{ port: 80 }, { port: 81 }]);
  const { modeOf, manifests } = imported(
    web,
    policy({ ...target({ number: 80 }), ...strict }, "one"),
    policy({ ...target({ number: 80 }, { number: 81 }) }, "two"),
    policy({ ...target(), peers: [{ mtls: { mode: "PERMISSIVE" } }] }, "three"),
  );
  assert.equal(manifests.length, 1);
  const at = (port: number) => modeOf("default", { app: "web" }, port);
  assert.deepEqual([80, 81, 82].map(at), ["strict", "disable", "permissive"]);
});

test("a policy that another one hides has a line", () => {
  const web = service("web", { app: "web" }, [{ port: 80 }]);
  const { modeOf, lost } = imported(
    web,
    policy({ ...target(), ...strict }, "one"),
    policy(target({ number: 80 }), "two"),
  );
  assert.equal(modeOf("default", { app: "web" }, 80), "strict");
  assert.match(lost.join("\n"), /^f:5: for web f:3 counts already$/);
});

test("two services of the same workloads keep their ports apart", () => {
  const { modeOf, manifests } = imported(
    service("web", { app: "w" }, [{ port: 80, targetPort: 8080 }]),
    service("admin", { app: "w" }, [{ port: 81, targetPort: 8181 }]),
    policy({ ...target(), ...strict }, "one"),
    policy({ targets: [{ name: "admin" }] }, "two"),
  );
  assert.equal(manifests.length, 1);
  const at = (port: number) => modeOf("default", { app: "w" }, port);
  assert.deepEqual([8080, 8181, 9].map(at), ["strict", "disable", "permissive"]);
});

test("what would be wider today than it was is left out", () => {
  const ofRoot = (spec: object) =>
    written({ kind: "Policy", name: "x", namespace: "istio-system", spec });
  const mesh = written({ kind: "MeshPolicy", name: "default", spec: { targets: [{ name: "x" }] } });
  const { lost, manifests } = imported(ofRoot({}), ofRoot({ ...target(), ...strict }), mesh);
  assert.deepEqual(manifests, []);
  assert.equal(lost.length, 3);
});

test("what is no manifest, and what has no place today, has a line with its own", () => {
  const { lost } = importIstio(
    [
      { name: "a", text: "{" },
      {
        name: "b",
        text: "\napiVersion: networking.istio.io/v1alpha3\nkind: VirtualService\nmetadata: {name: x}\n",
      },
      {
        name: "c",
        text: `apiVersion: ${alpha}\nkind: Policy\nmetadata: {name: x}\nspec: {peers: [{mtls: {mode: NO}}]}\n`,
      },
    ],
    "istio-system",
  );
  assert.deepEqual(
    lost.map((line) => line.split(": ", 1)[0]),
    ["a:1", "b:3", "c:4"],
  );
});
