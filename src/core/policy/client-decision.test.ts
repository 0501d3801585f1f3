import assert from "node:assert/strict";
import { test } from "node:test";
import {
  apiHost,
  refOf,
  ruleOf as writtenRule,
  tlsOf,
  trafficOf,
  type WrittenTraffic,
} from "../../../test/support/policy-objects.ts";
import type { ClientTls } from "../resources/client-tls.ts";
import type { DestinationRule, Subset } from "../resources/destination-rule.ts";
import { clientDecision, type Call, type ClientDecision } from "./client-decision.ts";
import { mergeRules } from "./merged-rule.ts";
import type { ServerMode } from "./server-mode.ts";

const subsetOf = (name: string, traffic: WrittenTraffic | undefined): Subset => ({
  name,
  labels: new Map([["version", name]]),
  traffic: traffic && trafficOf(traffic),
});

const ruleRef = refOf("DestinationRule", "shop/api");
const ruleOf = (traffic?: WrittenTraffic, subsets: readonly Subset[] = []): DestinationRule =>
  writtenRule("shop/api", { traffic: traffic && trafficOf(traffic), subsets });

interface Case {
  readonly rule?: DestinationRule;
  readonly subset?: string;
  readonly mode?: ServerMode;
  readonly takesMeshTls?: boolean;
  readonly isInternal?: boolean;
  readonly enableAutoMtls?: boolean;
  readonly identities?: readonly string[];
}

const api = "spiffe://cluster.local/ns/shop/sa/api";
function decide(it: Case): ClientDecision {
  const { isInternal = true, identities = [api] } = it;
  const ref = refOf("ServiceEntry", "shop/api");
  const port = { number: 80, name: "http", protocol: "HTTP", targetPort: undefined } as const;
  const call: Call = {
    service: { ref, host: apiHost, port, isInternal, identities, subjectAltNames: [] },
    subset: it.subset ?? "",
    endpoint: {
      takesMeshTls: it.takesMeshTls ?? isInternal,
      mode: isInternal ? (it.mode ?? "permissive") : undefined,
    },
    rule: it.rule && mergeRules([it.rule]),
    enableAutoMtls: it.enableAutoMtls ?? true,
  };
  return clientDecision(call);
}

/** As Istio's endpoint builder has it: DestinationRules against policies, ports and subsets. */
const cases: readonly (readonly [title: string, it: Case, sent: string, because: string])[] = [
  ["mTLS where nobody says anything", {}, "mtls", "auto-mtls"],
  ["mTLS to strict", { mode: "strict" }, "mtls", "auto-mtls"],
  ["plaintext to a port that is disabled", { mode: "disable" }, "plaintext", "endpoint-disabled"],
  ["plaintext to who has no proxy", { takesMeshTls: false }, "plaintext", "endpoint-without-proxy"],
  ["plaintext without auto-mTLS", { enableAutoMtls: false }, "plaintext", "auto-mtls-off"],
  ["plaintext out of the mesh", { isInternal: false }, "plaintext", "outside-the-mesh"],
  ["what a rule says", { rule: ruleOf({ tls: "DISABLE" }) }, "plaintext", "rule"],
  [
    "mTLS by a rule, although it is disabled",
    { rule: ruleOf({ tls: "ISTIO_MUTUAL" }), mode: "disable" },
    "mtls",
    "rule",
  ],
  [
    "mTLS by a rule without auto-mTLS",
    { rule: ruleOf({ tls: "ISTIO_MUTUAL" }), enableAutoMtls: false },
    "mtls",
    "rule",
  ],
  [
    "TLS of the web by a rule",
    { rule: ruleOf({ tls: "SIMPLE" }), isInternal: false },
    "origination",
    "rule",
  ],
  [
    "a port's over the rule's",
    { rule: ruleOf({ tls: "DISABLE", ports: { 80: "ISTIO_MUTUAL" } }) },
    "mtls",
    "rule-port",
  ],
  [
    "the rule's at another port",
    { rule: ruleOf({ tls: "DISABLE", ports: { 81: "ISTIO_MUTUAL" } }) },
    "plaintext",
    "rule",
  ],
  [
    "auto-mTLS where a port's settings hide the rule's",
    { rule: ruleOf({ tls: "DISABLE", ports: { 80: null } }) },
    "mtls",
    "auto-mtls",
  ],
  [
    "a subset's over the rule's",
    { rule: ruleOf({ tls: "ISTIO_MUTUAL" }, [subsetOf("v1", { tls: "DISABLE" })]), subset: "v1" },
    "plaintext",
    "subset",
  ],
  [
    "the rule's for a subset that says nothing of TLS",
    { rule: ruleOf({ tls: "DISABLE" }, [subsetOf("v1", {})]), subset: "v1" },
    "plaintext",
    "rule",
  ],
  [
    "the rule's for a subset without settings",
    { rule: ruleOf({ tls: "DISABLE" }, [subsetOf("v1", undefined)]), subset: "v1" },
    "plaintext",
    "rule",
  ],
  [
    "a subset's port over all",
    {
      rule: ruleOf({ tls: "DISABLE", ports: { 80: "DISABLE" } }, [
        subsetOf("v1", { tls: "DISABLE", ports: { 80: "ISTIO_MUTUAL" } }),
      ]),
      subset: "v1",
    },
    "mtls",
    "subset-port",
  ],
];

for (const [title, it, sent, because] of cases) {
  test(`a client sends ${title}`, () => {
    const decision = decide(it);
    assert.equal(decision.sent.kind, sent);
    assert.equal(decision.because.rule, because);
  });
}

const mutual = (more: Partial<ClientTls>): DestinationRule => ({
  ...ruleOf(),
  traffic: { tls: tlsOf("ISTIO_MUTUAL", more), ports: new Map() },
});

test("mTLS expects exactly the identities of the service, unless a rule names others", () => {
  const sni = "outbound_.80_._.api.shop.internal";
  assert.deepEqual(decide({}).sent, { kind: "mtls", sni, sans: [api] });
  const other = mutual({ sni: "gate", subjectAltNames: ["spiffe://other/x"] });
  assert.deepEqual(decide({ rule: other }).sent, {
    kind: "mtls",
    sni: "gate",
    sans: ["spiffe://other/x"],
  });
  const ofSubset = decide({ rule: { ...mutual({}), subsets: [subsetOf("v1", {})] }, subset: "v1" });
  assert(ofSubset.sent.kind === "mtls");
  assert.equal(ofSubset.sent.sni, "outbound_.80_.v1_.api.shop.internal");
});

test("what would be refused, or is weaker than it looks, is said", () => {
  const conflictsOf = (it: Case): readonly string[] => decide(it).conflicts;
  assert.deepEqual(conflictsOf({}), []);
  assert.deepEqual(conflictsOf({ rule: ruleOf({ tls: "DISABLE" }), mode: "strict" }), [
    "plaintext-to-strict",
  ]);
  assert.deepEqual(conflictsOf({ enableAutoMtls: false, mode: "strict" }), ["plaintext-to-strict"]);
  assert.deepEqual(conflictsOf({ rule: ruleOf({ tls: "SIMPLE" }), mode: "strict" }), [
    "tls-to-strict",
  ]);
  assert.deepEqual(conflictsOf({ rule: mutual({}), mode: "disable" }), ["mtls-to-disabled"]);
  assert.deepEqual(conflictsOf({ rule: mutual({}), takesMeshTls: false }), ["mtls-to-no-proxy"]);
  assert.deepEqual(conflictsOf({ identities: [] }), ["anybody-may-answer"]);
  // Nobody enforces it there.
  assert.deepEqual(conflictsOf({ mode: "strict", takesMeshTls: false }), []);
});

test("a rule's other settings are named where they are overridden", () => {
  const rule = ruleOf({ tls: "DISABLE", ports: { 80: "DISABLE" } }, [
    subsetOf("v1", { tls: "SIMPLE", ports: { 80: "ISTIO_MUTUAL" } }),
  ]);
  const { because, overrode } = decide({ rule, subset: "v1" });
  assert.deepEqual(because, { ref: ruleRef, rule: "subset-port" });
  assert.deepEqual(
    overrode.map(({ rule: level }) => level),
    ["subset", "rule-port", "rule"],
  );
});
