import assert from "node:assert/strict";
import { test } from "node:test";
import {
  apiHost,
  endpointOf,
  labelsOf as labels,
  peerOf,
  ruleOf,
  serviceOf as service,
  tlsOf,
  workloadOf,
  type WrittenPeer as Peer,
} from "../../../test/support/policy-objects.ts";
import type { ClientTlsMode } from "../resources/client-tls.ts";
import type { DestinationRule } from "../resources/destination-rule.ts";
import { defaultMeshConfig } from "../resources/mesh-config.ts";
import type { PeerMode } from "../resources/peer-authentication.ts";
import type { ServiceEntry } from "../resources/service-entry.ts";
import type { Endpoint, WorkloadEntry } from "../resources/workload-entry.ts";
import { decideCalls, type MeshPolicy } from "./calls.ts";
import { DestinationRules } from "./destination-rules.ts";
import { PeerPolicies } from "./peer-policies.ts";
import { Services } from "./services.ts";

const host = apiHost;
const workload = (name: string, more: Partial<Endpoint> = {}) => workloadOf(`shop/${name}`, more);
const rule = (mode: ClientTlsMode, subsets: DestinationRule["subsets"] = []) =>
  ruleOf("shop/api", { traffic: { tls: tlsOf(mode), ports: new Map() }, subsets });

interface Scene {
  readonly peers?: readonly Peer[];
  readonly rules?: readonly DestinationRule[];
  readonly services?: readonly ServiceEntry[];
  readonly workloads?: readonly WorkloadEntry[];
}

function meshOf(scene: Scene): MeshPolicy {
  const services = new Services();
  for (const each of scene.services ?? [service()]) services.setService(each);
  for (const each of scene.workloads ?? [workload("a")]) services.setWorkload(each);
  const { rootNamespace } = defaultMeshConfig;
  return {
    config: defaultMeshConfig,
    trustDomain: "cluster.local",
    peers: new PeerPolicies(rootNamespace, (scene.peers ?? []).map(peerOf)),
    rules: new DestinationRules(rootNamespace, scene.rules),
    services,
  };
}

const client = { namespace: "web", labels: labels({ app: "front" }) };
function callsOf(scene: Scene, subset = "") {
  const answer = decideCalls(meshOf(scene), client, { host, port: 80, subset });
  assert(answer.kind === "known");
  return answer.calls;
}

const selector = { app: "api" };
/** As Istio's endpoint builder decides. */
const cases: readonly (readonly [title: string, scene: Scene, sent: string, mode: string])[] = [
  ["nothing is said", {}, "mtls", "permissive"],
  [
    "the mesh is off",
    { peers: [{ at: "istio-system/default", mode: "DISABLE" }] },
    "plaintext",
    "disable",
  ],
  [
    "the namespace is off",
    { peers: [{ at: "shop/default", mode: "DISABLE" }] },
    "plaintext",
    "disable",
  ],
  [
    "the client's namespace is off",
    { peers: [{ at: "web/default", mode: "DISABLE" }] },
    "mtls",
    "permissive",
  ],
  [
    "the workload is off",
    { peers: [{ at: "shop/api", mode: "DISABLE", selector }] },
    "plaintext",
    "disable",
  ],
  [
    "its port is off",
    { peers: [{ at: "shop/api", mode: "STRICT", selector, ports: { 8080: "DISABLE" } }] },
    "plaintext",
    "disable",
  ],
  [
    "the service's port is off, which is not the workload's",
    { peers: [{ at: "shop/api", mode: "STRICT", selector, ports: { 80: "DISABLE" } }] },
    "mtls",
    "strict",
  ],
  [
    "a selector of the root namespace is off",
    { peers: [{ at: "istio-system/api", mode: "DISABLE", selector }] },
    "mtls",
    "permissive",
  ],
  [
    "the mesh is off, and a rule says mTLS",
    { peers: [{ at: "istio-system/default", mode: "DISABLE" }], rules: [rule("ISTIO_MUTUAL")] },
    "mtls",
    "disable",
  ],
  ["a rule says nothing is sent", { rules: [rule("DISABLE")] }, "plaintext", "permissive"],
  [
    "it has no proxy",
    { workloads: [workload("a", { serviceAccount: "" })] },
    "plaintext",
    "permissive",
  ],
  [
    "its label says that it has none",
    {
      workloads: [
        workload("a", { labels: labels({ app: "api", "security.istio.io/tlsMode": "disabled" }) }),
      ],
    },
    "plaintext",
    "permissive",
  ],
  [
    "its label says that it has one",
    {
      workloads: [
        workload("a", {
          serviceAccount: "",
          labels: labels({ app: "api", "security.istio.io/tlsMode": "istio" }),
        }),
      ],
    },
    "mtls",
    "permissive",
  ],
];

for (const [title, scene, sent, mode] of cases) {
  test(`an endpoint is sent ${sent} where ${title}`, () => {
    const [call] = callsOf(scene);
    assert.equal(call?.client.sent.kind, sent);
    assert.equal(call?.server?.mode, mode);
    assert.equal(call?.port, 8080);
  });
}

test("each endpoint is decided for itself: those that have moved to mTLS do not wait for the others", () => {
  const workloads = [
    workload("new", { address: "10.0.0.1" }),
    workload("old", { address: "10.0.0.2", serviceAccount: "" }),
    workload("off", { address: "10.0.0.3", labels: labels({ app: "api", version: "v2" }) }),
  ];
  const peers: readonly Peer[] = [{ at: "shop/v2", mode: "DISABLE", selector: { version: "v2" } }];
  assert.deepEqual(
    callsOf({ workloads, peers }).map(({ address, client: { sent } }) => `${address} ${sent.kind}`),
    ["10.0.0.1 mtls", "10.0.0.3 plaintext", "10.0.0.2 plaintext"],
  );
});

test("a subset has its own endpoints, and all of the service's identities", () => {
  const v2 = labels({ app: "api", version: "v2" });
  const workloads = [
    workload("a"),
    workload("b", { address: "10.0.0.2", labels: v2, serviceAccount: "b" }),
  ];
  const subsets = [{ name: "two", labels: labels({ version: "v2" }), traffic: undefined }];
  const calls = callsOf({ workloads, rules: [rule("ISTIO_MUTUAL", subsets)] }, "two");
  assert.deepEqual(
    calls.map(({ address }) => address),
    ["10.0.0.2"],
  );
  assert.deepEqual(calls[0]?.client.sent, {
    kind: "mtls",
    sni: `outbound_.80_.two_.${host}`,
    sans: ["spiffe://cluster.local/ns/shop/sa/api", "spiffe://cluster.local/ns/shop/sa/b"],
  });
});

test("a host outside is sent what the application says, whatever the policies of its namespace are", () => {
  const outside = service({
    isInternal: false,
    workloadSelector: new Map(),
    endpoints: [endpointOf()],
  });
  const [call] = callsOf({ services: [outside], peers: [{ at: "shop/default", mode: "STRICT" }] });
  assert.equal(call?.client.sent.kind, "plaintext");
  assert.equal(call?.client.because.rule, "outside-the-mesh");
  assert.equal(call?.server, undefined);
});

test("a host that nobody has, or shows, is unknown, and so is a port that it lacks", () => {
  const decide = (services: readonly ServiceEntry[], port: number) =>
    decideCalls(meshOf({ services }), client, { host, port, subset: "" });
  assert.deepEqual(decide([], 80), { kind: "unknown-host" });
  assert.deepEqual(decide([service({ exportTo: ["."] })], 80), { kind: "unknown-host" });
  assert.deepEqual(decide([service()], 81), { kind: "unknown-port", ports: [80] });
});

test("of several entries for a host the client's own counts, then the oldest that has the port", () => {
  const at = (namespace: string, createdMs: number, number: number) =>
    service({
      ref: { kind: "ServiceEntry", namespace, name: "api" },
      createdMs,
      ports: [{ number, name: "http", protocol: "HTTP", targetPort: undefined }],
    });
  const found = (entries: readonly ServiceEntry[]) => {
    const answer = decideCalls(meshOf({ services: entries }), client, {
      host,
      port: 80,
      subset: "",
    });
    return answer.kind === "known" ? answer.service.ref.namespace : answer.kind;
  };
  assert.equal(found([at("shop", 1, 80), at("web", 2, 80)]), "web");
  assert.equal(found([at("shop", 2, 80), at("bank", 1, 80)]), "bank");
  assert.equal(found([at("shop", 2, 80), at("bank", 1, 81)]), "shop");
});

test("workloads and services that go, or change, are found no more", () => {
  const services = new Services();
  services.setService(service());
  services.setWorkload(workload("a"));
  services.setWorkload(workload("a", { labels: labels({ app: "other" }) }));
  assert.deepEqual(services.endpointsOf(service()), []);
  services.setWorkload(workload("a"));
  assert.equal(services.endpointsOf(service()).length, 1);
  services.deleteWorkload({ namespace: "shop", name: "a" });
  assert.deepEqual(services.endpointsOf(service()), []);
  services.setService(service({ hosts: ["other.internal"] }));
  assert.deepEqual(services.seen(host, "web"), []);
  services.deleteService({ namespace: "shop", name: "api" });
  assert.deepEqual(services.seen("other.internal", "web"), []);
});

test("both sides of a call are what the narrowest policy, the rule and the endpoint's label say, in every combination", () => {
  const said = [undefined, "UNSET", "DISABLE", "PERMISSIVE", "STRICT"] as const;
  const written = [undefined, "istio", "disabled"] as const;
  const ruled = [undefined, "DISABLE", "ISTIO_MUTUAL"] as const;
  const narrowest = (...chain: readonly (PeerMode | undefined)[]): string => {
    const last = chain.findLast((mode) => mode !== undefined && mode !== "UNSET");
    return (last ?? "PERMISSIVE").toLowerCase();
  };
  for (const mesh of said) {
    for (const namespace of said) {
      for (const own of said) {
        for (const port of said) {
          for (const label of written) {
            for (const dr of ruled) {
              const peers: Peer[] = [];
              if (mesh !== undefined) peers.push({ at: "istio-system/m", mode: mesh });
              if (namespace !== undefined) peers.push({ at: "shop/n", mode: namespace });
              const ports = port === undefined ? {} : { 8080: port };
              if (own !== undefined) peers.push({ at: "shop/w", mode: own, selector, ports });
              const tlsMode = label === undefined ? {} : { "security.istio.io/tlsMode": label };
              const workloads = [workload("a", { labels: labels({ ...selector, ...tlsMode }) })];
              const rules = dr === undefined ? [] : [rule(dr)];
              const [call] = callsOf({ peers, workloads, rules });
              const what = JSON.stringify([mesh, namespace, own, port, label, dr]);
              const mode = narrowest(mesh, namespace, own, own === undefined ? undefined : port);
              assert.equal(call?.server?.mode, mode, what);
              // The entry has a service account: without a label it counts as one of the mesh.
              const isAuto = label !== "disabled" && mode !== "disable";
              const isMtls = dr === undefined ? isAuto : dr === "ISTIO_MUTUAL";
              assert.equal(call?.client.sent.kind, isMtls ? "mtls" : "plaintext", what);
            }
          }
        }
      }
    }
  }
});
