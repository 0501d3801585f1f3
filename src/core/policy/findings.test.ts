import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { config, peer, rule, service, sidecar, workload } from "../../../test/policy/objects.ts";
import {
  apiHost,
  endpointOf,
  labelsOf,
  tlsOf,
  trafficOf,
} from "../../../test/support/policy-objects.ts";
import type { DestinationRule } from "../resources/destination-rule.ts";
import type { PolicyObject } from "../resources/policy-object.ts";
import type { EgressListener, Sidecar } from "../resources/sidecar.ts";
import { findings } from "./findings.ts";

const ingress = (number: number): Sidecar["ingress"][number] => ({
  port: { number, name: "http", protocol: "HTTP" },
  bind: "",
  defaultEndpoint: `127.0.0.1:${number}`,
});
const egress = (number: number, host: string): EgressListener => ({
  port: { number, name: "sql", protocol: "TCP" },
  bind: "",
  hosts: [host],
});
const tcp = (at: string, host: string, exportTo: readonly string[] = []): PolicyObject =>
  service(at, {
    hosts: [host],
    exportTo,
    ports: [{ number: 5432, name: "sql", protocol: "TCP", targetPort: undefined }],
    workloadSelector: new Map(),
    endpoints: [endpointOf({ ports: new Map() })],
  });

/** Nothing is wrong here. */
const mesh: readonly PolicyObject[] = [
  sidecar("istio-system/default"),
  workload("shop/api"),
  service("shop/api"),
];
const api = { app: "api" };
const rules = (tls: DestinationRule["traffic"], more: Partial<DestinationRule> = {}) =>
  rule("shop/api", { traffic: tls, ...more });
const traffic = trafficOf;

const cases: readonly (readonly [
  title: string,
  objects: readonly PolicyObject[],
  expected: readonly string[],
])[] = [
  ["a mesh without faults", mesh, []],
  ["nothing at all", [], []],
  [
    "a selector in the root namespace",
    [...mesh, peer({ at: "istio-system/x", mode: "STRICT", selector: api })],
    ["selector-in-root-namespace istio-system/x spec.selector"],
  ],
  [
    "ports without a selector",
    [...mesh, peer({ at: "shop/x", mode: "STRICT", ports: { 80: "DISABLE" } })],
    ["ports-without-selector shop/x spec.portLevelMtls"],
  ],
  [
    "the service's port in the place of the workload's",
    [...mesh, peer({ at: "shop/x", mode: "UNSET", selector: api, ports: { 80: "STRICT" } })],
    ['port-matches-nothing shop/x spec.portLevelMtls."80"'],
  ],
  [
    "the workload's port",
    [...mesh, peer({ at: "shop/x", mode: "UNSET", selector: api, ports: { 8080: "STRICT" } })],
    [],
  ],
  [
    "a port that only the Sidecar has",
    [
      ...mesh,
      sidecar("shop/s", { ingress: [ingress(9000)] }),
      peer({ at: "shop/x", mode: "UNSET", selector: api, ports: { 9000: "STRICT" } }),
    ],
    [],
  ],
  [
    "a selector of nobody",
    [...mesh, peer({ at: "shop/x", mode: "STRICT", selector: { app: "none" } })],
    ["selects-nobody shop/x spec.selector"],
  ],
  [
    "a selector where nobody is known",
    [peer({ at: "shop/x", mode: "STRICT", selector: { app: "none" } })],
    [],
  ],
  [
    "two policies of a namespace, one of which is older",
    [
      peer({ at: "shop/a", mode: "STRICT", createdMs: 2 }),
      peer({ at: "shop/b", mode: "DISABLE", createdMs: 1 }),
    ],
    ["not-the-oldest shop/a "],
  ],
  [
    "two policies of the mesh without an age",
    [
      peer({ at: "istio-system/a", mode: "STRICT" }),
      peer({ at: "istio-system/b", mode: "STRICT" }),
    ],
    ["tie-decided-by-name istio-system/b "],
  ],
  [
    "two policies of one age",
    [
      peer({ at: "shop/a", mode: "STRICT", createdMs: 1 }),
      peer({ at: "shop/b", mode: "STRICT", createdMs: 1 }),
    ],
    ["tie-decided-by-name shop/b "],
  ],
  [
    "an age that only one of two has",
    [peer({ at: "shop/a", mode: "STRICT" }), peer({ at: "shop/b", mode: "STRICT", createdMs: 1 })],
    ["not-the-oldest shop/a "],
  ],
  [
    "two that select one workload",
    [
      ...mesh,
      peer({ at: "shop/a", mode: "STRICT", selector: api }),
      peer({ at: "shop/b", mode: "STRICT", selector: { version: "v1" } }),
    ],
    ["tie-decided-by-name shop/b "],
  ],
  [
    "a narrower selector than an older one's, where nobody is known",
    [
      peer({ at: "shop/a", mode: "STRICT", selector: api }),
      peer({ at: "shop/b", mode: "STRICT", selector: { ...api, version: "v1" } }),
    ],
    ["tie-decided-by-name shop/b "],
  ],
  [
    "a rule for a host that there is not",
    [...mesh, rule("shop/x", { host: "none.internal" })],
    ["unknown-host shop/x spec.host"],
  ],
  ["a rule below a wildcard", [...mesh, rule("shop/x", { host: "*.internal" })], []],
  [
    "a rule that fights STRICT",
    [...mesh, peer({ at: "shop/p", mode: "STRICT" }), rules(traffic({ tls: "DISABLE" }))],
    ["plaintext-to-strict shop/api spec.trafficPolicy"],
  ],
  [
    "TLS of the web to STRICT",
    [...mesh, peer({ at: "shop/p", mode: "STRICT" }), rules(traffic({ ports: { 80: "SIMPLE" } }))],
    ["tls-to-strict shop/api spec.trafficPolicy"],
  ],
  [
    "TLS of the web to a proxy that reads HTTP",
    [...mesh, rules(traffic({ tls: "SIMPLE" }))],
    ["tls-to-http shop/api spec.trafficPolicy"],
  ],
  [
    "mTLS to a port where it is off",
    [...mesh, peer({ at: "shop/p", mode: "DISABLE" }), rules(traffic({ tls: "ISTIO_MUTUAL" }))],
    ["mtls-to-disabled shop/api spec.trafficPolicy"],
  ],
  [
    "mTLS to who has no proxy",
    [
      ...mesh,
      workload("shop/plain", { serviceAccount: "" }),
      rules(traffic({ tls: "ISTIO_MUTUAL" })),
    ],
    ["mtls-to-no-proxy shop/api spec.trafficPolicy"],
  ],
  [
    "a subset that fights STRICT",
    [
      ...mesh,
      peer({ at: "shop/p", mode: "STRICT" }),
      rules(undefined, {
        subsets: [
          { name: "v1", labels: labelsOf({ version: "v1" }), traffic: traffic({ tls: "DISABLE" }) },
        ],
      }),
    ],
    ["plaintext-to-strict shop/api spec.subsets[0].trafficPolicy"],
  ],
  [
    "a subset without endpoints",
    [
      ...mesh,
      rules(undefined, {
        subsets: [{ name: "v9", labels: labelsOf({ version: "v9" }), traffic: undefined }],
      }),
    ],
    ["subset-without-endpoints shop/api spec.subsets[0].labels"],
  ],
  [
    "a subset that an older rule has",
    [
      ...mesh,
      rule("shop/a", {
        subsets: [{ name: "v1", labels: labelsOf({ version: "v1" }), traffic: undefined }],
      }),
      rule("shop/b", {
        subsets: [{ name: "v1", labels: labelsOf({ version: "v1" }), traffic: undefined }],
      }),
    ],
    ["subset-hidden shop/b spec.subsets[0]"],
  ],
  [
    "names that no endpoint has",
    [
      ...mesh,
      rules({
        tls: tlsOf("ISTIO_MUTUAL", { subjectAltNames: ["spiffe://td/ns/shop/sa/x"] }),
        ports: new Map(),
      }),
    ],
    ["identity-mismatch shop/api spec.trafficPolicy"],
  ],
  [
    "the name that the endpoint has",
    [
      ...mesh,
      rules({
        tls: tlsOf("ISTIO_MUTUAL", { subjectAltNames: ["spiffe://td/ns/shop/sa/api"] }),
        ports: new Map(),
      }),
    ],
    [],
  ],
  [
    "no verification",
    [
      ...mesh,
      rules({ tls: tlsOf("ISTIO_MUTUAL", { insecureSkipVerify: true }), ports: new Map() }),
    ],
    ["skips-verification shop/api spec.trafficPolicy.tls.insecureSkipVerify"],
  ],
  [
    "a port's settings that hide the rule's",
    [...mesh, rules(traffic({ tls: "ISTIO_MUTUAL", ports: { 80: null } }))],
    ["port-hides-tls shop/api spec.trafficPolicy.portLevelSettings"],
  ],
  [
    "settings for the workload's port in the place of the service's",
    [...mesh, rules(traffic({ ports: { 8080: "ISTIO_MUTUAL" } }))],
    ["unknown-port shop/api spec.trafficPolicy.portLevelSettings"],
  ],
  [
    "two rules of one host",
    [
      ...mesh,
      rule("shop/a", { traffic: traffic({ tls: "ISTIO_MUTUAL" }) }),
      rule("shop/b", { traffic: traffic({ tls: "DISABLE" }), createdMs: 1 }),
    ],
    ["not-the-oldest shop/a "],
  ],
  [
    "two rules that select one client for one host",
    [
      ...mesh,
      rule("shop/a", {
        traffic: traffic({ tls: "ISTIO_MUTUAL" }),
        workloadSelector: labelsOf(api),
      }),
      rule("shop/b", {
        traffic: traffic({ tls: "DISABLE" }),
        workloadSelector: labelsOf({ version: "v1" }),
      }),
    ],
    ["tie-decided-by-name shop/b "],
  ],
  [
    "a rule of the root namespace under the service's own",
    [
      ...mesh,
      rule("istio-system/a", { traffic: traffic({ tls: "ISTIO_MUTUAL" }) }),
      rule("shop/b", { traffic: traffic({ tls: "DISABLE" }) }),
    ],
    ["hidden-by-another istio-system/a "],
  ],
  [
    "a wildcard under the only host that it has",
    [
      ...mesh,
      rule("shop/a", { host: "*.internal", traffic: traffic({ tls: "ISTIO_MUTUAL" }) }),
      rule("shop/b", { traffic: traffic({ tls: "DISABLE" }) }),
    ],
    ["hidden-by-another shop/a "],
  ],
  [
    "a client's own rule beside the service's",
    [
      ...mesh,
      rule("web/a", { traffic: traffic({ tls: "ISTIO_MUTUAL" }) }),
      rule("shop/b", { traffic: traffic({ tls: "DISABLE" }) }),
    ],
    [],
  ],
  [
    "a rule for clients that there are not",
    [...mesh, rules(undefined, { workloadSelector: labelsOf({ app: "none" }) })],
    ["selects-nobody shop/api spec.workloadSelector"],
  ],
  [
    "a rule for a namespace that there is not",
    [...mesh, rules(undefined, { exportTo: ["none"] })],
    ["exported-to-nobody shop/api spec.exportTo"],
  ],
  [
    "endpoints that nobody can know",
    [
      sidecar("istio-system/default"),
      service("shop/api"),
      workload("shop/api", {
        serviceAccount: "",
        labels: labelsOf({ ...api, "security.istio.io/tlsMode": "istio" }),
      }),
    ],
    [
      "anybody-may-answer shop/api ",
      'no-identity shop/api spec.labels."security.istio.io/tlsMode"',
    ],
  ],
  [
    "an identity whose label says that nobody asks for it",
    [
      ...mesh,
      workload("shop/b", { labels: labelsOf({ "security.istio.io/tlsMode": "disabled" }) }),
    ],
    ['tls-mode-disabled shop/b spec.labels."security.istio.io/tlsMode"'],
  ],
  [
    "no resolution",
    [...mesh, service("shop/b", { hosts: ["b.internal"], resolution: "NONE" })],
    ["resolution-none shop/b spec.resolution"],
  ],
  [
    "a wildcard with endpoints",
    [...mesh, service("shop/b", { hosts: ["*.b.internal"] })],
    ["wildcard-host shop/b spec.hosts"],
  ],
  [
    "a port of a workload that no service has",
    [...mesh, workload("shop/bb", { ports: new Map([["htpp", 1]]) })],
    ["port-of-no-service shop/bb spec.ports.htpp"],
  ],
  [
    "a host twice",
    [...mesh, service("web/api", { workloadSelector: new Map() })],
    ["host-twice web/api spec.hosts"],
  ],
  [
    "a host twice, once for its own namespace",
    [...mesh, service("web/api", { workloadSelector: new Map(), exportTo: ["."] })],
    [],
  ],
  [
    "an address and port twice",
    [...mesh, workload("shop/zzz", { address: "10.0.115.8" })],
    ["address-twice shop/zzz spec.address"],
  ],
  [
    "two services selected by one Sidecar on one TCP port",
    [...mesh, tcp("shop/db", "db.internal"), tcp("shop/eb", "eb.internal"), sidecar("shop/s")],
    ["outbound-port-twice shop/s spec"],
  ],
  [
    "two services on one TCP port for whoever has the root namespace's Sidecar",
    [...mesh, tcp("shop/db", "db.internal"), tcp("shop/eb", "eb.internal")],
    ["outbound-port-twice istio-system/default spec"],
  ],
  [
    "two services on one TCP port, each for its own namespace",
    [
      ...mesh,
      tcp("shop/db", "db.internal", ["."]),
      tcp("web/eb", "eb.internal", ["."]),
      workload("web/bbb", { labels: new Map() }),
    ],
    [],
  ],
  [
    "several hosts behind one TCP listener",
    [
      ...mesh,
      tcp("shop/db", "db.internal"),
      tcp("shop/eb", "eb.internal"),
      sidecar("shop/s", {
        egress: [
          {
            port: { number: 1, name: "sql", protocol: "TCP" },
            bind: "",
            hosts: ["./db.internal", "*/eb.internal"],
          },
        ],
      }),
    ],
    ["egress-several-hosts shop/s spec.egress[0].hosts"],
  ],
  [
    "a host that an egress listener's pattern does not reach",
    [
      ...mesh,
      sidecar("web/s", {
        egress: [{ port: undefined, bind: "", hosts: ["./*", "shop/*", "~/*"] }],
      }),
    ],
    ["egress-matches-nothing web/s spec.egress[0].hosts[0]"],
  ],
  [
    "an outbound port that the workload's own application has",
    [...mesh, sidecar("shop/s", { ingress: [ingress(80)] })],
    ["outbound-port-twice shop/s spec"],
  ],
  [
    "two egress listeners on one address",
    [
      ...mesh,
      tcp("shop/db", "db.internal"),
      sidecar("shop/s", { egress: [egress(9, "*/db.internal"), egress(9, `*/${apiHost}`)] }),
    ],
    ["egress-port-twice shop/s spec.egress[1].port.number"],
  ],
  [
    "a listener that speaks what none of the host's ports does",
    [
      ...mesh,
      service("shop/b", {
        hosts: ["b.internal"],
        ports: [81, 82].map((number) => ({
          number,
          name: `http-${number}`,
          protocol: "HTTP",
          targetPort: 8080,
        })),
        workloadSelector: new Map(),
        endpoints: [endpointOf({ ports: new Map() })],
      }),
      sidecar("shop/s", { egress: [egress(9, "*/b.internal")] }),
    ],
    ["egress-without-port shop/s spec.egress[0].hosts"],
  ],
  [
    "an endpoint that only DNS could find, where nobody asks it",
    [...mesh, workload("shop/other", { address: "other.internal" })],
    ["address-unusable shop/api spec.resolution"],
  ],
  [
    "a port of two ingress listeners",
    [...mesh, sidecar("shop/s", { ingress: [ingress(9), ingress(9)] })],
    ["ingress-port-twice shop/s spec.ingress[1].port.number"],
  ],
  [
    "an ingress port that says no protocol",
    [
      ...mesh,
      sidecar("shop/s", {
        ingress: [
          ingress(9),
          { ...ingress(10), port: { number: 10, name: "http", protocol: "AUTO" } },
        ],
      }),
    ],
    ["ingress-without-protocol shop/s spec.ingress[1].port"],
  ],
  [
    "two Sidecars of a namespace, and two of a workload",
    [
      ...mesh,
      sidecar("shop/a"),
      sidecar("shop/b"),
      sidecar("shop/c", { workloadSelector: labelsOf(api) }),
      sidecar("shop/d", { workloadSelector: labelsOf({ version: "v1" }) }),
    ],
    ["tie-decided-by-name shop/b ", "tie-decided-by-name shop/d "],
  ],
  [
    "workloads without a Sidecar, once for a namespace",
    [
      workload("shop/a"),
      workload("shop/bb", { labels: labelsOf({ app: "b" }) }),
      workload("web/ccc"),
      workload("web/dddd", { serviceAccount: "" }),
    ],
    ["without-sidecar shop/a ", "without-sidecar web/ccc "],
  ],
  [
    "two MeshConfigs",
    [...mesh, config("istio-system/a"), config("istio-system/b")],
    ["mesh-config-twice istio-system/b "],
  ],
];

const found = (objects: readonly PolicyObject[]): readonly string[] =>
  findings(objects, { trustDomain: "td" }).map(
    ({ code, ref, path }) => `${code} ${ref?.namespace}/${ref?.name} ${path}`,
  );

for (const [title, objects, expected] of cases) {
  test(`${expected.length === 0 ? "finds nothing in" : "finds"} ${title}`, () => {
    assert.deepEqual(found(objects), expected);
  });
}

test("finds the same in the same objects, in whatever order they come", () => {
  const all = new Map(
    cases.flatMap(([, objects]) => objects.map((each) => [JSON.stringify(each.object.ref), each])),
  );
  const objects = [...all.values()];
  const expected = findings(objects, { trustDomain: "td" });
  assert(expected.length > 10);
  fc.assert(
    fc.property(fc.shuffledSubarray(objects, { minLength: objects.length }), (shuffled) => {
      assert.deepEqual(findings(shuffled, { trustDomain: "td" }), expected);
    }),
    { numRuns: 20 },
  );
});

test("says what to do where the service's port stands for the workload's", () => {
  const objects = [
    ...mesh,
    peer({ at: "shop/x", mode: "UNSET", selector: api, ports: { 80: "STRICT" } }),
  ];
  const [finding] = findings(objects, { trustDomain: "td" });
  assert.equal(
    finding?.hint,
    "ports here are the workload's own: 80 of ServiceEntry shop/api is 8080 there",
  );
});
