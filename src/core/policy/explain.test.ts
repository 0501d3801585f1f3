import assert from "node:assert/strict";
import { test } from "node:test";
import { peer, rule, service, workload } from "../../../test/policy/objects.ts";
import {
  apiHost,
  endpointOf,
  labelsOf,
  tlsOf,
  trafficOf,
  workloadOf,
} from "../../../test/support/policy-objects.ts";
import { inboundChains, type InboundChain } from "../envoy/inbound-chains.ts";
import type { PolicyObject } from "../resources/policy-object.ts";
import type { ServicePort } from "../resources/service-entry.ts";
import { explainCall, explainPort } from "./explain.ts";
import { MeshView } from "./mesh-view.ts";

const meshOf = (...objects: readonly PolicyObject[]) => new MeshView(objects, "td").mesh;
const web = workloadOf("web/web", { serviceAccount: "web", labels: labelsOf({ app: "web" }) });
const naked = workloadOf("web/cron", { serviceAccount: "" });
const target = { host: apiHost, port: 80, subset: "" };
const base = [workload("shop/api"), service("shop/api")];
const tcp: readonly ServicePort[] = [
  { number: 80, name: "http", protocol: "TCP", targetPort: undefined },
];
const noProxy = workload("shop/api", { serviceAccount: "" });
const strict = peer({ at: "shop/p", mode: "STRICT" });
const off = peer({ at: "shop/p", mode: "DISABLE" });
const sends = (mode: "DISABLE" | "SIMPLE" | "ISTIO_MUTUAL"): PolicyObject =>
  rule("shop/d", { traffic: trafficOf({ tls: mode }) });
const named = (identity: string): PolicyObject =>
  rule("shop/d", {
    traffic: { tls: tlsOf("ISTIO_MUTUAL", { subjectAltNames: [identity] }), ports: new Map() },
  });
const outside = service("shop/api", {
  isInternal: false,
  workloadSelector: new Map(),
  endpoints: [endpointOf({ serviceAccount: "" })],
});

const verdicts: readonly (readonly [
  title: string,
  objects: readonly PolicyObject[],
  expected: string,
  source?: typeof web,
])[] = [
  ["nobody says anything", base, "mtls agreed"],
  ["the port is strict", [...base, strict], "mtls agreed"],
  ["the port is disabled", [...base, off], "plaintext agreed"],
  ["the endpoint has no proxy", [service("shop/api"), noProxy], "plaintext not-ours-to-decide"],
  [
    "strict is said of an endpoint that has no proxy to refuse anybody",
    [service("shop/api"), noProxy, strict, sends("DISABLE")],
    "plaintext not-ours-to-decide",
  ],
  ["it is outside of the mesh", [outside], "plaintext not-ours-to-decide"],
  ["TLS leaves the mesh", [outside, sends("SIMPLE")], "tls not-ours-to-decide"],
  [
    "a rule sends plaintext to strict",
    [...base, strict, sends("DISABLE")],
    "refused plaintext-to-strict",
  ],
  ["a rule sends TLS to strict", [...base, strict, sends("SIMPLE")], "refused tls-to-strict"],
  ["a rule sends TLS to an HTTP port", [...base, sends("SIMPLE")], "refused tls-to-http"],
  [
    "a rule sends TLS to a TCP port",
    [workload("shop/api"), service("shop/api", { ports: tcp }), sends("SIMPLE")],
    "tls agreed",
  ],
  [
    "a rule sends mTLS to disabled",
    [...base, off, sends("ISTIO_MUTUAL")],
    "refused mtls-to-disabled",
  ],
  [
    "a rule sends mTLS to who has no proxy",
    [service("shop/api"), noProxy, sends("ISTIO_MUTUAL")],
    "fails mtls-to-no-proxy",
  ],
  [
    "the client expects somebody else",
    [...base, named("spiffe://td/ns/shop/sa/other")],
    "fails identity-mismatch",
  ],
  [
    "the client expects whoever is there",
    [...base, named("spiffe://td/ns/shop/sa/api")],
    "mtls agreed",
  ],
  ["a client without a proxy calls permissive", base, "plaintext agreed", naked],
  [
    "a client without a proxy calls strict, whatever a rule says",
    [...base, strict, sends("ISTIO_MUTUAL")],
    "refused plaintext-to-strict",
    naked,
  ],
  ["nobody is there", [service("shop/api")], "fails no-endpoints"],
  [
    "one of two endpoints refuses it",
    [
      ...base,
      workload("shop/second", { labels: labelsOf({ app: "api", version: "v2" }) }),
      peer({ at: "shop/p", mode: "STRICT", selector: { version: "v2" } }),
      sends("DISABLE"),
    ],
    "refused plaintext-to-strict",
  ],
];

for (const [title, objects, expected, source = web] of verdicts) {
  test(`a call is ${expected.split(" ")[0]} where ${title}`, () => {
    const answer = explainCall(meshOf(...objects), source, target);
    assert(answer.kind === "known");
    assert.equal(`${answer.call.verdict} ${answer.call.why}`, expected);
  });
}

test("a verdict is what the chains of the server's proxy make of it, for every mode, protocol and kind of TLS", () => {
  const modes = { DISABLE: "disable", PERMISSIVE: "permissive", STRICT: "strict" } as const;
  const offered = { DISABLE: undefined, SIMPLE: "h2", ISTIO_MUTUAL: "istio" } as const;
  for (const [written, mode] of Object.entries(modes)) {
    for (const protocol of ["http", "tcp", "auto"] as const) {
      for (const [sent, alpn] of Object.entries(offered)) {
        const isTls = alpn !== undefined;
        const chain = inboundChains(mode, protocol).find(({ transport, alpn: wanted }) => {
          const isTransport = (transport === "tls") === isTls;
          return isTransport && (wanted.length === 0 || wanted.some((each) => each === alpn));
        });
        const ports = tcp.map((port) => ({ ...port, protocol: protocolOf[protocol] }));
        const objects = [
          workload("shop/api"),
          service("shop/api", { ports }),
          peer({ at: "shop/p", mode: written as "STRICT" }),
          sends(sent as "SIMPLE"),
        ];
        const answer = explainCall(meshOf(...objects), web, target);
        assert(answer.kind === "known");
        const what = `${written} ${protocol} ${sent}`;
        assert.equal(answer.call.verdict, expectedOf(chain, sent), what);
      }
    }
  }
});

const protocolOf = { http: "HTTP", tcp: "TCP", auto: "AUTO" } as const;

function expectedOf(chain: InboundChain | undefined, sent: string): string {
  if (chain === undefined) return "refused";
  if (chain.endsTls) return sent === "ISTIO_MUTUAL" ? "mtls" : "refused";
  if (sent === "DISABLE") return "plaintext";
  // It goes to the application as it is: who speaks TLS of the web meant that, and who speaks the mesh's did not.
  return sent === "SIMPLE" ? "tls" : "fails";
}

test("a call is said with both sides' reasons, as JSON that stays as it is", () => {
  const objects = [
    ...base,
    strict,
    peer({ at: "istio-system/m", mode: "DISABLE" }),
    sends("ISTIO_MUTUAL"),
  ];
  const answer = explainCall(meshOf(...objects), web, target);
  const peerRef = { kind: "PeerAuthentication", namespace: "shop", name: "p" };
  assert.deepEqual(JSON.parse(JSON.stringify(answer)), {
    kind: "known",
    call: {
      service: { namespace: "shop", name: "api" },
      host: apiHost,
      port: 80,
      subset: "",
      verdict: "mtls",
      why: "agreed",
      endpoints: [
        {
          address: "10.0.115.8",
          port: 8080,
          workload: { namespace: "shop", name: "api" },
          client: {
            sends: "mtls",
            sni: `outbound_.80_._.${apiHost}`,
            sans: ["spiffe://td/ns/shop/sa/api"],
            because: { kind: "DestinationRule", namespace: "shop", name: "d", rule: "rule" },
            overrode: [],
            conflicts: [],
          },
          server: {
            mode: "strict",
            because: { ...peerRef, rule: "namespace" },
            overrode: [
              {
                kind: "PeerAuthentication",
                namespace: "istio-system",
                name: "m",
                rule: "mesh",
                mode: "disable",
              },
            ],
            ignored: [],
          },
          verdict: "mtls",
          why: "agreed",
        },
      ],
    },
  });
});

test("a call to who is held back by a flip is not refused, and the port says which flip", () => {
  const hold = { flip: 7, namespace: "shop", selector: new Map(), ports: [], exceptPorts: [] };
  const objects = [...base, strict, sends("DISABLE")];
  for (const [held, verdict, mode] of [
    [[], "plaintext", "permissive"],
    [["shop/api"], "refused", "strict"],
  ] as const) {
    const { mesh } = new MeshView(objects, "td", [{ ...hold, strict: new Set<string>(held) }]);
    const answer = explainCall(mesh, web, target);
    assert(answer.kind === "known");
    assert.equal(answer.call.verdict, verdict);
    const workload = { namespace: "shop", labels: new Map(), name: "api" };
    const value = explainPort(mesh, workload, 8080);
    assert.equal(value.mode, mode);
    assert.equal(value.flip, mode === "strict" ? undefined : 7);
    assert.equal(value.because.rule, mode === "strict" ? "namespace" : "flip");
  }
});

test("a port that nobody speaks of has the default, and no object for it", () => {
  const value = explainPort(meshOf(...base), { namespace: "shop", labels: new Map() }, 8080);
  assert.deepEqual(value, {
    mode: "permissive",
    because: { kind: null, namespace: null, name: null, rule: "default" },
    overrode: [],
    ignored: [],
  });
});

test("a host or a port that the client does not see is unknown", () => {
  const mesh = meshOf(...base);
  assert.deepEqual(explainCall(mesh, web, { ...target, host: "x" }), { kind: "unknown-host" });
  const other = explainCall(mesh, web, { ...target, port: 8080 });
  assert.deepEqual(other, { kind: "unknown-port", ports: [80] });
});
