import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { formatYaml } from "../../src/edge/config/yaml.ts";
import type { Json } from "../../src/edge/resources/manifest.ts";
import { parseManifest, parseManifests } from "../../src/edge/resources/parse-manifests.ts";
import { labelsOf, refOf, tlsOf } from "../support/policy-objects.ts";

const head = (kind: string, name = "a"): string => {
  const group = kind === "PeerAuthentication" ? "security" : "networking";
  return `apiVersion: ${group}.istio.io/v1\nkind: ${kind}\nmetadata: {name: ${name}, namespace: shop}\n`;
};

function objectOf(text: string): unknown {
  const { objects, problems } = parseManifests(text, "f.yaml");
  assert.deepEqual(problems, []);
  assert.equal(objects.length, 1);
  return objects[0]?.object;
}

const ref = (kind: Parameters<typeof refOf>[0], at = "shop/a") => ({
  ref: refOf(kind, at),
  createdMs: undefined,
});

describe("reads", () => {
  test("a PeerAuthentication", () => {
    const spec =
      "spec: {selector: {matchLabels: {app: api}}, mtls: {mode: STRICT}, portLevelMtls: {8080: {mode: DISABLE}, 81: {}}}";
    assert.deepEqual(objectOf(head("PeerAuthentication") + spec), {
      kind: "PeerAuthentication",
      object: {
        ...ref("PeerAuthentication"),
        selector: labelsOf({ app: "api" }),
        mode: "STRICT",
        ports: new Map([
          [81, "UNSET"],
          [8080, "DISABLE"],
        ]),
      },
    });
  });

  test("a PeerAuthentication that says nothing, of the namespace default, with its age", () => {
    const text =
      "apiVersion: security.istio.io/v1beta1\nkind: PeerAuthentication\n" +
      "metadata: {name: x, creationTimestamp: '2026-01-31T12:00:00Z', uid: u}\nstatus: {any: thing}\n";
    assert.deepEqual(objectOf(text), {
      kind: "PeerAuthentication",
      object: {
        ref: refOf("PeerAuthentication", "default/x"),
        createdMs: Date.parse("2026-01-31T12:00:00Z"),
        selector: new Map(),
        mode: "UNSET",
        ports: new Map(),
      },
    });
  });

  test("a DestinationRule, its host in full", () => {
    const spec =
      "spec:\n  host: API\n  trafficPolicy: {tls: {mode: ISTIO_MUTUAL, sni: x.y}, portLevelSettings: [{port: {number: 80}}, {port: {number: 81}, tls: {mode: DISABLE}}]}\n" +
      "  subsets: [{name: v1, labels: {version: v1}, trafficPolicy: {tls: {mode: SIMPLE, caCertificates: /ca.pem, subjectAltNames: [a.b]}}}, {name: v2}]\n" +
      "  exportTo: [., other]\n  workloadSelector: {matchLabels: {app: front}}\n";
    const simple = tlsOf("SIMPLE", { caCertificates: "/ca.pem", subjectAltNames: ["a.b"] });
    assert.deepEqual(objectOf(head("DestinationRule") + spec), {
      kind: "DestinationRule",
      object: {
        ...ref("DestinationRule"),
        host: "api.shop.svc.cluster.local",
        traffic: {
          tls: tlsOf("ISTIO_MUTUAL", { sni: "x.y" }),
          ports: new Map([
            [80, undefined],
            [81, tlsOf("DISABLE")],
          ]),
        },
        subsets: [
          {
            name: "v1",
            labels: labelsOf({ version: "v1" }),
            traffic: { tls: simple, ports: new Map() },
          },
          { name: "v2", labels: new Map(), traffic: undefined },
        ],
        workloadSelector: labelsOf({ app: "front" }),
        exportTo: [".", "other"],
      },
    });
  });

  test("a ServiceEntry with endpoints", () => {
    const spec =
      "spec:\n  hosts: [API.shop.internal., '*.shop.internal']\n  location: MESH_INTERNAL\n  resolution: STATIC\n" +
      "  ports: [{number: 80, name: http, protocol: http, targetPort: 8080}, {number: 90, name: any}]\n" +
      "  endpoints: [{address: 10.0.0.1, ports: {http: 8081}, labels: {version: v1}, serviceAccount: api}]\n";
    assert.deepEqual(objectOf(head("ServiceEntry") + spec), {
      kind: "ServiceEntry",
      object: {
        ...ref("ServiceEntry"),
        hosts: ["api.shop.internal", "*.shop.internal"],
        addresses: [],
        ports: [
          { number: 80, name: "http", protocol: "HTTP", targetPort: 8080 },
          { number: 90, name: "any", protocol: "AUTO", targetPort: undefined },
        ],
        isInternal: true,
        resolution: "STATIC",
        endpoints: [
          {
            address: "10.0.0.1",
            ports: new Map([["http", 8081]]),
            labels: labelsOf({ version: "v1" }),
            serviceAccount: "api",
            network: "",
            locality: "",
            weight: 0,
          },
        ],
        workloadSelector: new Map(),
        subjectAltNames: [],
        exportTo: [],
      },
    });
  });

  test("a WorkloadEntry, the labels of its metadata before its own", () => {
    const text =
      "apiVersion: networking.istio.io/v1alpha3\nkind: WorkloadEntry\n" +
      "metadata: {name: a, namespace: shop, labels: {app: api, tier: '1'}}\n" +
      "spec: {address: FD00::1, labels: {app: old, version: v1}, serviceAccount: api, weight: 3, locality: r/z, network: n}\n";
    assert.deepEqual(objectOf(text), {
      kind: "WorkloadEntry",
      object: {
        ...ref("WorkloadEntry"),
        address: "fd00::1",
        ports: new Map(),
        labels: labelsOf({ app: "api", version: "v1", tier: "1" }),
        serviceAccount: "api",
        network: "n",
        locality: "r/z",
        weight: 3,
      },
    });
  });

  test("a Sidecar", () => {
    const spec =
      "spec:\n  workloadSelector: {labels: {app: api}}\n" +
      "  ingress: [{port: {number: 8443, protocol: HTTP2, name: api}, defaultEndpoint: '127.0.0.1:8080', captureMode: NONE}]\n" +
      "  egress: [{hosts: ['./*', 'other/Web.example']}, {port: {number: 3306, protocol: MYSQL}, bind: 127.0.0.2, hosts: ['*/db.shop.internal']}]\n";
    assert.deepEqual(objectOf(head("Sidecar") + spec), {
      kind: "Sidecar",
      object: {
        ...ref("Sidecar"),
        workloadSelector: labelsOf({ app: "api" }),
        ingress: [
          {
            port: { number: 8443, name: "api", protocol: "HTTP2" },
            bind: "",
            defaultEndpoint: "127.0.0.1:8080",
          },
        ],
        egress: [
          { port: undefined, bind: "", hosts: ["./*", "other/web.example"] },
          {
            port: { number: 3306, name: "", protocol: "TCP" },
            bind: "127.0.0.2",
            hosts: ["*/db.shop.internal"],
          },
        ],
      },
    });
  });

  test("MeshConfig out of its ConfigMap", () => {
    const text =
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\n" +
      "data:\n  mesh: |\n    rootNamespace: root\n    enableAutoMtls: false\n";
    assert.deepEqual(objectOf(text), {
      kind: "MeshConfig",
      object: {
        ...ref("MeshConfig", "istio-system/istio"),
        config: { rootNamespace: "root", enableAutoMtls: false },
      },
    });
  });

  test("many documents, and lists of Kubernetes", () => {
    const one = (name: string) =>
      JSON.stringify({
        apiVersion: "security.istio.io/v1",
        kind: "PeerAuthentication",
        metadata: { name },
      });
    const text = `# a comment\n---\n${one("a")}\n---\n\n---\napiVersion: v1\nkind: List\nitems:\n- ${one("b")}\n- ${one("c")}\n`;
    const { objects, problems } = parseManifests(text, "f.yaml");
    assert.deepEqual(problems, []);
    assert.deepEqual(
      objects.map(({ object, origin }) => [object.object.ref.name, origin]),
      [
        ["a", "f.yaml:3"],
        ["b", "f.yaml:10"],
        ["c", "f.yaml:11"],
      ],
    );
  });
});

const pa = head("PeerAuthentication");
const dr = head("DestinationRule");
const se = head("ServiceEntry");
const car = head("Sidecar");
const tls = (text: string) => `${dr}spec:\n  host: a.b\n  trafficPolicy:\n    tls: ${text}`;
const ingress = (text: string) => `${car}spec:\n  ingress:\n  - ${text}`;

/** Each is line 4 and more of its text. */
const refusals: readonly (readonly [title: string, text: string, where: string, what: string])[] = [
  [
    "a misspelt field",
    `${pa}spec:\n  mtsl: {mode: STRICT}`,
    "5 spec.mtsl",
    'expected a known field, got "mtsl", did you mean "mtls"',
  ],
  [
    "a misspelt mode",
    `${pa}spec:\n  mtls:\n    mode: STRCT`,
    "6 spec.mtls.mode",
    'expected one of UNSET, DISABLE, PERMISSIVE, STRICT, got "STRCT", did you mean "STRICT"',
  ],
  [
    "a number for a label",
    `${pa}spec:\n  selector:\n    matchLabels:\n      version: 1`,
    "7 spec.selector.matchLabels.version",
    'expected a text, got 1; write "1"',
  ],
  [
    "a misspelt field of the metadata",
    pa.replace("namespace", "namspace"),
    "3 metadata.namspace",
    'expected a known field, got "namspace", did you mean "namespace"',
  ],
  [
    "a name that is none",
    pa.replace("name: a", "name: A_b"),
    "3 metadata.name",
    'expected a name of letters a to z, digits, - and ., got "A_b"',
  ],
  ["no name", pa.replace("name: a,", ""), "3 metadata.name", "expected a value, got nothing"],
  [
    "a text for the specification",
    `${pa}spec: STRICT`,
    "4 spec",
    'expected a mapping, got "STRICT"',
  ],
  [
    "a field beside the specification",
    `${pa}specs: {}`,
    "4 specs",
    'expected a known field, got "specs", did you mean "spec"',
  ],
  [
    "an unknown version",
    pa.replace("v1", "v9"),
    "1 apiVersion",
    'expected security.istio.io/v1 or security.istio.io/v1beta1 for PeerAuthentication, got "security.istio.io/v9"',
  ],
  [
    "a misspelt kind",
    pa.replace("PeerAuth", "PerAuth"),
    "2 kind",
    'expected a known kind, got "PerAuthentication", did you mean "PeerAuthentication"',
  ],
  [
    "Istio 1.0's policies",
    "apiVersion: authentication.istio.io/v1alpha1\nkind: MeshPolicy\nmetadata: {name: default}\n",
    "2 kind",
    "expected an object of today, got Istio 1.0's MeshPolicy; portcullis policy import -f FILE turns it into today's objects",
  ],
  ["no kind", "apiVersion: v1\nmetadata: {name: a}\n", "1 kind", "expected a text, got nothing"],
  ["a list as an object", "[1]", "1 ", "expected an object of Kubernetes, got a list"],
  [
    "a quoted port",
    `${se}spec:\n  hosts: [a.b]\n  ports:\n  - number: "80"\n    name: x`,
    "7 spec.ports[0].number",
    'expected a port from 1 to 65535, got "80"; without quotes',
  ],
  [
    "UDP",
    `${se}spec:\n  hosts: [a.b]\n  ports: [{number: 80, name: x, protocol: UDP}]`,
    "6 spec.ports[0].protocol",
    'expected one of GRPC, GRPC-WEB, HTTP, HTTP2, HTTPS, MONGO, MYSQL, REDIS, TCP, TLS, got "UDP", did you mean "TCP"; mTLS is for TCP only',
  ],
  [
    "an endpoint's port that the service has not",
    `${se}spec:\n  hosts: [a.b]\n  resolution: STATIC\n  ports: [{number: 80, name: x}]\n  endpoints: [{address: 1.1.1.1, ports: {y: 1}}]`,
    "8 spec.endpoints[0].ports.y",
    'expected the name of one of spec.ports, got "y"',
  ],
  [
    "a name with STATIC",
    `${se}spec:\n  hosts: [a.b]\n  resolution: STATIC\n  endpoints: [{address: c.d}]`,
    "7 spec.endpoints[0].address",
    'expected an IP address with STATIC, got "c.d"',
  ],
  [
    "ISTIO_MUTUAL with files",
    tls("{mode: ISTIO_MUTUAL, caCertificates: /ca.pem}"),
    "7 spec.trafficPolicy.tls.caCertificates",
    "expected nothing: ISTIO_MUTUAL uses the mesh's certificates",
  ],
  [
    "MUTUAL without a key",
    tls("{mode: MUTUAL, clientCertificate: /c.pem}"),
    "7 spec.trafficPolicy.tls.privateKey",
    "expected a file with MUTUAL, got nothing",
  ],
  [
    "a Secret's name",
    tls("{mode: SIMPLE, credentialName: x}"),
    "7 spec.trafficPolicy.tls.credentialName",
    "expected files, got the name of a Kubernetes Secret; mount it, and name clientCertificate, privateKey and caCertificates",
  ],
  [
    "a revocation list that nobody reads",
    tls("{mode: SIMPLE, caCrl: /crl.pem}"),
    "7 spec.trafficPolicy.tls.caCrl",
    "expected no CRL: clients here read none; leave it out",
  ],
  [
    "verification that is said and taken back",
    tls("{mode: SIMPLE, caCertificates: /ca.pem, insecureSkipVerify: true}"),
    "7 spec.trafficPolicy.tls.insecureSkipVerify",
    "expected false beside caCertificates or subjectAltNames, got true; one of the two is not meant",
  ],
  [
    "a port's settings twice",
    `${dr}spec:\n  host: a.b\n  trafficPolicy:\n    portLevelSettings: [{port: {number: 80}}, {port: {number: 80}}]`,
    "7 spec.trafficPolicy.portLevelSettings[1].port.number",
    "expected each port once, got 80 again",
  ],
  [
    "a listener's own TLS",
    ingress("{port: {number: 80}, defaultEndpoint: '127.0.0.1:1', tls: {mode: SIMPLE}}"),
    "6 spec.ingress[0].tls",
    "expected no tls of its own: proxies here have the mesh's certificates only",
  ],
  [
    "a listener without an application",
    ingress("{port: {number: 80}}"),
    "6 spec.ingress[0].defaultEndpoint",
    "expected a value, got nothing",
  ],
  [
    "an application elsewhere",
    ingress("{port: {number: 80}, defaultEndpoint: '10.0.0.1:80'}"),
    "6 spec.ingress[0].defaultEndpoint",
    'expected 127.0.0.1:PORT, [::1]:PORT, 0.0.0.0:PORT, [::]:PORT or unix:///PATH, got "10.0.0.1:80"',
  ],
  [
    "a Sidecar that says nothing",
    `${car}spec: {}`,
    "4 spec",
    "expected ingress or egress, got neither",
  ],
  [
    "an egress host without a namespace",
    `${car}spec:\n  egress: [{hosts: [a.b]}]`,
    "5 spec.egress[0].hosts[0]",
    'expected NAMESPACE/HOST, got "a.b"; NAMESPACE is a name, *, . for its own or ~ for none; HOST may be *',
  ],
  [
    "an alias",
    `${pa}spec: &a\n  mtls: {mode: STRICT}\n  selector: *a`,
    "6 ",
    "expected no aliases",
  ],
  ["a tag", `${pa}spec: !!map\n  mtls: {mode: STRICT}`, "5 ", "expected no tags"],
  [
    "a key twice",
    `${pa}spec:\n  mtls: {mode: STRICT}\n  mtls: {mode: DISABLE}`,
    "6 ",
    'expected each key once, got "mtls" again',
  ],
  [
    "the prototype of all objects",
    `${pa}spec:\n  __proto__: {mtls: {}}`,
    "5 ",
    'expected another key than "__proto__"',
  ],
  [
    "what is no YAML",
    `${pa}spec: {`,
    "4 ",
    "Flow map in block collection must be sufficiently indented and end with a }",
  ],
  [
    "a ConfigMap of another name",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {mesh: ''}\n",
    "4 data",
    'expected the ConfigMap istio, got "x"; MeshConfig is in the ConfigMap istio; leave others out',
  ],
  [
    "MeshConfig that is no YAML",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio}\ndata:\n  mesh: '{'\n",
    "5 data.mesh",
    "in its line 1: Flow map must end with a }",
  ],
  [
    "the same object twice",
    `${pa}---\n${pa}`,
    "5 ",
    "expected each object once, got that of f.yaml:1 again; keep one of them",
  ],
];

for (const [title, text, where, what] of refusals) {
  test(`refuses ${title}, and says where`, () => {
    const { objects, problems } = parseManifests(text, "f.yaml");
    const errors = problems.filter(({ severity }) => severity === "error");
    const said = errors.map(({ origin, path, text: reason, hint }) => {
      return `${origin} ${path}|${reason}${hint === "" ? "" : `; ${hint}`}`;
    });
    assert(said.includes(`f.yaml:${where}|${what}`), said.join("\n"));
    assert.equal(errors.length, 1, said.join("\n"));
    assert.equal(objects.length, title === "the same object twice" ? 1 : 0);
  });
}

const warnings: readonly (readonly [title: string, text: string, code: string, path: string])[] = [
  [
    "how load is spread",
    `${dr}spec: {host: a.b, trafficPolicy: {loadBalancer: {simple: RANDOM}}}`,
    "field-without-effect",
    "spec.trafficPolicy.loadBalancer",
  ],
  [
    "TLS without a mode",
    `${dr}spec: {host: a.b, trafficPolicy: {tls: {sni: x}}}`,
    "tls-without-mode",
    "spec.trafficPolicy.tls",
  ],
  [
    "a certificate to be shown with SIMPLE",
    `${dr}spec: {host: a.b, trafficPolicy: {tls: {mode: SIMPLE, clientCertificate: /c.pem}}}`,
    "field-without-effect",
    "spec.trafficPolicy.tls.clientCertificate",
  ],
  [
    "interception",
    ingress("{port: {number: 80}, defaultEndpoint: '127.0.0.1:1', captureMode: IPTABLES}"),
    "field-without-effect",
    "spec.ingress[0].captureMode",
  ],
  [
    "MeshConfig's other fields, together",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio}\ndata: {mesh: '{accessLogFile: x, trustDomain: y}'}\n",
    "field-without-effect",
    "data.mesh",
  ],
];

for (const [title, text, code, path] of warnings) {
  test(`takes ${title}, and says that it does nothing`, () => {
    const { objects, problems } = parseManifests(text, "f.yaml");
    assert.equal(objects.length, 1);
    assert.deepEqual(
      problems.map((each) => [each.severity, each.code, each.path]),
      [["warning", code, path]],
    );
  });
}

test("refuses an error behind more warnings than are told of", () => {
  const ports = Array.from({ length: 120 }, (_, i) => ({
    port: { number: i + 1 },
    loadBalancer: { simple: "RANDOM" },
  }));
  const tls = { mode: "MUTUL" };
  const subsets = [{ name: "v1", trafficPolicy: { tls } }];
  const spec = { host: "a.b", trafficPolicy: { portLevelSettings: ports }, subsets };
  const { objects, problems } = parseManifests(`${dr}spec: ${JSON.stringify(spec)}`, "f.yaml");
  assert.deepEqual(objects, []);
  assert.deepEqual(
    problems.filter(({ severity }) => severity === "error").map(({ path }) => path),
    ["spec.subsets[0].trafficPolicy.tls.mode"],
  );
});

test("leaves other kinds out, and says so", () => {
  for (const [apiVersion, kind] of [
    ["apps/v1", "Deployment"],
    ["networking.istio.io/v1", "VirtualService"],
    ["security.istio.io/v1", "AuthorizationPolicy"],
    ["security.istio.io/v1", "RequestAuthentication"],
  ]) {
    const { objects, problems } = parseManifests(
      JSON.stringify({ apiVersion, kind, metadata: { name: "a" } }),
      "f",
    );
    assert.deepEqual(objects, []);
    assert.deepEqual(
      problems.map(({ severity, code }) => [severity, code]),
      [["warning", "kind-without-effect"]],
    );
  }
});

test("refuses what is too large, too deep or too many", () => {
  const long = `${pa}spec: {selector: {matchLabels: {app: ${"a".repeat(70_000)}}}}`;
  const deep = `${pa}spec: ${"{a: ".repeat(60)}${"}".repeat(60)}`;
  const many = `${pa}spec: {selector: {matchLabels: {${Array.from({ length: 65 }, (_, i) => `a${i}: b`).join(", ")}}}}`;
  for (const [text, code] of [
    [long, "too-large"],
    [deep, "malformed"],
    [many, "invalid-value"],
    [`#${" ".repeat(1_048_577)}`, "too-large"],
  ] as const) {
    const { objects, problems } = parseManifests(text, "f");
    assert.deepEqual(objects, []);
    assert.deepEqual(
      problems.map((each) => each.code),
      [code],
    );
  }
});

const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,5}[a-z0-9])?$/);
const labels = fc.dictionary(label, label, { maxKeys: 3, noNullPrototype: true });
const mode = fc.constantFrom("UNSET", "DISABLE", "PERMISSIVE", "STRICT");
const port = fc.integer({ min: 1, max: 65_535 });
const maybe = { requiredKeys: [] as never[], noNullPrototype: true };
const mtls = fc.record({ mode }, maybe);
const written = fc.oneof(
  fc.record({
    kind: fc.constant("PeerAuthentication"),
    spec: fc.record({ selector: fc.record({ matchLabels: labels }, maybe), mtls }, maybe),
  }),
  fc.record({
    kind: fc.constant("WorkloadEntry"),
    spec: fc.record(
      {
        address: fc.ipV4(),
        labels,
        ports: fc.dictionary(label, port, { maxKeys: 3, noNullPrototype: true }),
        serviceAccount: label,
      },
      { requiredKeys: ["address"], noNullPrototype: true },
    ),
  }),
  fc.record({
    kind: fc.constant("ServiceEntry"),
    spec: fc.record(
      {
        hosts: fc.array(fc.domain(), { minLength: 1, maxLength: 3 }),
        ports: fc.uniqueArray(port, { maxLength: 3 }).map((all) => {
          return all.map((number) => ({ number, name: `p${number}`, protocol: "HTTP" }));
        }),
        location: fc.constantFrom("MESH_EXTERNAL", "MESH_INTERNAL"),
      },
      { requiredKeys: ["hosts"], noNullPrototype: true },
    ),
  }),
);

test("what is kept of a manifest says the same again, from JSON and from YAML, and is kept as the same", () => {
  fc.assert(
    fc.property(written, label, labels, ({ kind, spec }, name, ofObject) => {
      const group = kind === "PeerAuthentication" ? "security" : "networking";
      const metadata = { labels: ofObject, name, creationTimestamp: "2026-01-31T12:00:00Z" };
      const manifest = { kind, spec, metadata, apiVersion: `${group}.istio.io/v1beta1` };
      const { objects, problems } = parseManifests(formatYaml(manifest), "f");
      assert.deepEqual(problems, []);
      const [first] = objects;
      assert(first !== undefined);
      const json = JSON.stringify(first.manifest);
      for (const again of [
        parseManifest(json, "f:1"),
        parseManifests(formatYaml(first.manifest), "f"),
      ]) {
        assert.deepEqual(again, { objects: [first], problems: [] });
        assert.equal(JSON.stringify(again.objects[0]?.manifest), json);
      }
    }),
  );
});

test("whatever is written in a manifest, an answer comes and the manifest stands or is refused", () => {
  const anything = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<Json>;
  const kinds = [
    "PeerAuthentication",
    "DestinationRule",
    "ServiceEntry",
    "WorkloadEntry",
    "Sidecar",
  ];
  fc.assert(
    fc.property(fc.constantFrom(...kinds), anything, (kind, spec) => {
      const group = kind === "PeerAuthentication" ? "security" : "networking";
      const manifest = { apiVersion: `${group}.istio.io/v1`, kind, metadata: { name: "a" }, spec };
      const { objects, problems } = parseManifest(JSON.stringify(manifest), "f");
      const isRefused = problems.some(({ severity }) => severity === "error");
      assert.equal(objects.length, isRefused ? 0 : 1);
    }),
  );
});
