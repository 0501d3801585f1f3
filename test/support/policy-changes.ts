/** Any changes of a small mesh, in which much hits the same few names. */

import * as fc from "fast-check";
import type { Hold } from "../../src/core/policy/holds.ts";
import type { ProxyIdentity } from "../../src/core/policy/proxy-identity.ts";
import type { ClientTlsMode } from "../../src/core/resources/client-tls.ts";
import type { PeerMode } from "../../src/core/resources/peer-authentication.ts";
import type { PolicyObject } from "../../src/core/resources/policy-object.ts";
import type { Labels, ResourceKind, ResourceRef } from "../../src/core/resources/resource.ts";
import type { Protocol, ServicePort } from "../../src/core/resources/service-entry.ts";
import { endpointOf, refOf, ruleOf, serviceOf, tlsOf } from "./policy-objects.ts";

export type PolicyChange =
  | { readonly kind: "set"; readonly object: PolicyObject }
  | { readonly kind: "delete"; readonly ref: ResourceRef }
  | { readonly kind: "add-proxy"; readonly identity: ProxyIdentity }
  | { readonly kind: "remove-proxy"; readonly key: string }
  | { readonly kind: "hold"; readonly holds: readonly Hold[] }
  /** At what is desired, and at whoever changed. */
  | { readonly kind: "look" | "take" };

const namespace = fc.constantFrom("a", "b", "istio-system");
const at = fc.tuple(namespace, fc.constantFrom("m", "n")).map((parts) => parts.join("/"));
const createdMs = fc.constantFrom(undefined, 1, 2);
const account = fc.constantFrom("", "front", "back");
const hosts = [
  "api.a.svc.cluster.local",
  "web.b.svc.cluster.local",
  "api.a",
  "api",
  "one.ext.test",
  "*.ext.test",
];
const host = fc.constantFrom(...hosts);
const address = fc.constantFrom(
  "10.0.0.1",
  "10.0.0.2",
  "10.0.0.3",
  "vm.ext.test",
  "unix:///app.sock",
);
const exportTo = fc.constantFrom<readonly string[]>([], [], [], ["."], ["*"], ["b"]);
const protocol = fc.constantFrom<Protocol>("TCP", "HTTP", "GRPC", "AUTO", "TLS");
const number = fc.constantFrom(80, 81, 8080);
const mode = fc.constantFrom<PeerMode>("UNSET", "DISABLE", "PERMISSIVE", "STRICT");
const tlsMode = fc.constantFrom<ClientTlsMode>("DISABLE", "SIMPLE", "ISTIO_MUTUAL");
const few = { maxLength: 2 } as const;

/** Mostly what many have in common: a mesh in which nobody meets anybody shows nothing. */
function mostly<T>(value: T, other: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 2, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: other });
}

const labels = fc
  .record({ app: fc.constantFrom("x", "y"), tier: fc.constantFrom("1", "2") }, { requiredKeys: [] })
  .map((written): Labels => new Map(Object.entries(written)));

const noLabels: Labels = new Map();
const selector = mostly(noLabels, labels);
const ofApp = mostly<Labels>(new Map([["app", "x"]]), labels);

const endpoint = fc
  .record({
    address,
    ports: fc.constantFrom(new Map<string, number>(), new Map([["http", 8081]])),
    labels: ofApp,
    serviceAccount: account,
    weight: fc.constantFrom(0, 3),
  })
  .map(endpointOf);

const peer = fc.record({
  ref: at.map((each) => refOf("PeerAuthentication", each)),
  createdMs,
  selector,
  mode,
  ports: fc.array(fc.tuple(number, mode), few).map((each) => new Map(each)),
});

const traffic = fc.record({
  tls: fc.option(
    tlsMode.map((each) => tlsOf(each)),
    { nil: undefined },
  ),
  ports: fc
    .array(
      fc.tuple(
        number,
        tlsMode.map((each) => tlsOf(each)),
      ),
      few,
    )
    .map((each) => new Map(each)),
});

const rule = fc
  .record({
    at,
    createdMs,
    host: fc.constantFrom(...hosts, "*", "*.svc.cluster.local"),
    traffic: fc.option(traffic, { nil: undefined }),
    workloadSelector: selector,
    exportTo,
  })
  .map(({ at: name, ...more }) => ruleOf(name, more));

const ports = fc
  .array(
    fc.record({
      number,
      name: fc.constantFrom("http", "other"),
      protocol,
      targetPort: fc.constantFrom(undefined, 9090),
    }),
    { minLength: 1, maxLength: 2 },
  )
  .map((all): readonly ServicePort[] =>
    all.filter((each, place) => all.findIndex((other) => other.number === each.number) === place),
  );

const service = fc
  .record({
    ref: at.map((each) => refOf("ServiceEntry", each)),
    createdMs,
    hosts: fc.uniqueArray(host, { minLength: 1, maxLength: 2 }),
    ports,
    isInternal: mostly(true, fc.constant(false)),
    resolution: fc.constantFrom("STATIC", "STATIC", "STATIC", "DNS", "NONE"),
    endpoints: fc.array(endpoint, few),
    workloadSelector: fc.oneof(ofApp, fc.constant(noLabels)),
    exportTo,
  })
  .map(serviceOf);

/** As a Service of a cluster is put together. */
const kubeService = fc.record({ createdMs, ports, exportTo }).chain((of) =>
  fc.constantFrom("a", "b").map((namespace) => {
    const host = namespace === "a" ? "api.a.svc.cluster.local" : "web.b.svc.cluster.local";
    const [name = ""] = host.split(".");
    const standsFor = { kind: "Service", name } as const;
    const ref = { ...refOf("ServiceEntry", `${namespace}/${host}`), standsFor };
    return serviceOf({ ...of, ref, hosts: [host], workloadSelector: new Map([["app", "x"]]) });
  }),
);

const workload = fc
  .tuple(at, endpoint, createdMs)
  .map(([name, of, created]) => ({ ref: refOf("WorkloadEntry", name), createdMs: created, ...of }));

const port = fc.record({ number, name: fc.constant("p"), protocol });
const bind = fc.constantFrom("", "127.0.0.1", "127.0.0.2");
const egressHost = mostly(
  "*/*",
  fc
    .tuple(fc.constantFrom("*", ".", "a", "b", "~"), fc.constantFrom("*", ...hosts))
    .map((parts) => parts.join("/")),
);

const sidecar = fc.record({
  ref: at.map((each) => refOf("Sidecar", each)),
  createdMs,
  workloadSelector: selector,
  ingress: fc.array(
    fc.record({
      port,
      bind,
      defaultEndpoint: fc.constantFrom("127.0.0.1:8080", "0.0.0.0:81", "unix:///app.sock"),
    }),
    few,
  ),
  egress: mostly(
    undefined,
    fc.array(
      fc.record({
        port: fc.option(port, { nil: undefined }),
        bind,
        hosts: fc.array(egressHost, { minLength: 1, maxLength: 2 }),
      }),
      few,
    ),
  ),
});

const config = fc.record({
  ref: at.map((each) => refOf("MeshConfig", each)),
  createdMs,
  config: fc.record({
    rootNamespace: fc.constantFrom("istio-system", "b"),
    enableAutoMtls: fc.boolean(),
  }),
});

const object: fc.Arbitrary<PolicyObject> = fc.oneof(
  {
    weight: 3,
    arbitrary: peer.map((each) => ({ kind: "PeerAuthentication", object: each }) as const),
  },
  {
    weight: 3,
    arbitrary: rule.map((each) => ({ kind: "DestinationRule", object: each }) as const),
  },
  {
    weight: 4,
    arbitrary: service.map((each) => ({ kind: "ServiceEntry", object: each }) as const),
  },
  {
    weight: 2,
    arbitrary: kubeService.map((each) => ({ kind: "ServiceEntry", object: each }) as const),
  },
  {
    weight: 4,
    arbitrary: workload.map((each) => ({ kind: "WorkloadEntry", object: each }) as const),
  },
  { weight: 4, arbitrary: sidecar.map((each) => ({ kind: "Sidecar", object: each }) as const) },
  { weight: 1, arbitrary: config.map((each) => ({ kind: "MeshConfig", object: each }) as const) },
);

const kind = fc.constantFrom<ResourceKind>(
  ...([
    "PeerAuthentication",
    "DestinationRule",
    "ServiceEntry",
    "WorkloadEntry",
    "Sidecar",
    "MeshConfig",
  ] as const),
);

const key = fc.constantFrom("p1", "p2", "p3", "p4");
const identity: fc.Arbitrary<ProxyIdentity> = fc.record({
  key,
  namespace,
  serviceAccount: account,
  nodeId: fc.constantFrom("m", "n", "o"),
  claimedLabels: labels,
});

const hold: fc.Arbitrary<Hold> = fc.record({
  flip: fc.constant(1),
  namespace,
  selector,
  ports: fc.constantFrom([], [], [80], [8080]),
  exceptPorts: fc.constantFrom([], [], [80], [81]),
  strict: fc.subarray(["a/m", "a/n", "a/o", "b/m", "istio-system/m"]).map((all) => new Set(all)),
});

const set = object.map((each) => ({ kind: "set", object: each }) as const);
const add = identity.map((each) => ({ kind: "add-proxy", identity: each }) as const);

const anyChange: fc.Arbitrary<PolicyChange> = fc.oneof(
  { weight: 12, arbitrary: set },
  {
    weight: 3,
    arbitrary: fc
      .tuple(kind, at)
      .map(([of, name]) => ({ kind: "delete", ref: refOf(of, name) }) as const),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom("a/api.a.svc.cluster.local", "b/web.b.svc.cluster.local")
      .map((name) => ({ kind: "delete", ref: refOf("ServiceEntry", name) }) as const),
  },
  { weight: 2, arbitrary: add },
  { weight: 1, arbitrary: key.map((each) => ({ kind: "remove-proxy", key: each }) as const) },
  {
    weight: 3,
    arbitrary: fc.array(hold, few).map((holds) => ({ kind: "hold", holds }) as const),
  },
  { weight: 12, arbitrary: fc.constantFrom({ kind: "look" } as const, { kind: "take" } as const) },
);

/** First a mesh that has much in it, then what changes. */
export const policyChanges: fc.Arbitrary<readonly PolicyChange[]> = fc
  .tuple(
    fc.array(set, { minLength: 15, maxLength: 30, size: "max" }),
    fc.array(add, { minLength: 2, maxLength: 4, size: "max" }),
    fc.array(anyChange, { minLength: 10, maxLength: 60, size: "max" }),
  )
  .map(([objects, proxies, changes]) => [...objects, ...proxies, { kind: "take" }, ...changes]);
