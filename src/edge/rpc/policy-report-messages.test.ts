import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { policyOf } from "../../../test/support/proxy-policies.ts";
import type { PolicyReport, ReportedPolicy } from "../../core/policy/policy-report.ts";
import {
  ConnectRequestSchema,
  ConnectResponseSchema,
  PolicyReportSchema,
  type ConnectRequest,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { reportableLabels } from "./policy-labels.ts";
import { encodePolicy, policyDigest } from "./policy-messages.ts";
import {
  encodePolicyReports,
  parsePolicyReport,
  reportedPolicyBytesMax,
} from "./policy-report-messages.ts";
import { encodePolicySnapshots, policyAssignments } from "./policy-snapshot-messages.ts";

const portMessageBytesMax = 262_144;
const hex = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((each) => Buffer.from(each));
const digest = hex.map((each) => each.toString("hex"));
const applied = fc.oneof(
  digest.map((digest) => ({ digest, octets: undefined })),
  fc
    .uint8Array({ minLength: 1, maxLength: 50 })
    .map((octets) => ({ digest: policyDigest(octets), octets })),
);
const label = fc.stringMatching(/^[a-z./-]{1,20}$/);
const proxy: fc.Arbitrary<ReportedPolicy> = fc.record({
  proxyId: fc.string({ minLength: 1, maxLength: 20 }),
  spiffeId: fc.constantFrom(undefined, "spiffe://td/ns/a/sa/b"),
  labels: fc
    .uniqueArray(fc.tuple(label, fc.stringMatching(/^[a-z.-]{0,20}$/)), {
      selector: ([key]) => key,
    })
    .map((all) => reportableLabels(new Map(all))),
  hasListeners: fc.boolean(),
  applied: fc.option(applied, { nil: undefined }),
  isUnsure: fc.boolean(),
  nack: fc.option(
    fc
      .tuple(
        applied,
        fc.record({
          detail: fc.string(),
          resources: fc.array(fc.string(), { maxLength: 3 }),
          isPartial: fc.boolean(),
        }),
      )
      .map(([policy, rest]) => ({ ...policy, ...rest })),
    { nil: undefined },
  ),
  oldConnections: fc.constantFrom("unobserved", "unproven", "gone"),
  draining: fc
    .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 65_535 }), fc.nat()), {
      selector: ([port]) => port,
    })
    .map((all) => new Map(all)),
  assignmentsAnswered: fc.nat(),
});
const report: fc.Arbitrary<PolicyReport> = fc.record({
  full: fc.boolean(),
  complete: fc.boolean(),
  proxies: fc.array(proxy, { maxLength: 4 }),
  gone: fc.array(fc.string({ maxLength: 20 }), { maxLength: 4 }),
});

function overWire(messages: readonly ConnectRequest[]): PolicyReport[] {
  return messages.map((request) => {
    const octets = toBinary(ConnectRequestSchema, request);
    assert(octets.length < portMessageBytesMax);
    const { message } = fromBinary(ConnectRequestSchema, octets);
    assert(message.case === "policy");
    return parsePolicyReport(message.value);
  });
}

const one: ReportedPolicy = {
  proxyId: "proxy-1",
  spiffeId: undefined,
  labels: new Map(),
  hasListeners: true,
  applied: undefined,
  isUnsure: false,
  nack: undefined,
  draining: new Map(),
  oldConnections: "unobserved",
  assignmentsAnswered: 0,
};

const whole = { full: true, complete: true, proxies: [], gone: [] };

describe("a report of policies", () => {
  it("is the same behind the wire, and who is gone comes last", () => {
    fc.assert(
      fc.property(report, (report) => {
        const came = overWire(encodePolicyReports(report));
        const proxies = came.flatMap(({ proxies }) => proxies);
        assert.deepEqual(structuredClone(proxies), structuredClone(report.proxies));
        assert.deepEqual(
          came.flatMap(({ gone }) => gone),
          report.gone,
        );
        assert.deepEqual(
          came.map(({ full }) => full),
          came.map((_, at) => at === 0 && report.full),
        );
        assert.deepEqual(
          came.map(({ complete }) => complete),
          came.map((_, at) => at === came.length - 1 && report.complete),
        );
        assert(came.every(({ proxies, gone }) => proxies.length === 0 || gone.length === 0));
      }),
    );
  });

  it("is split into messages that the port takes, however much each proxy says", () => {
    const octets = new Uint8Array(reportedPolicyBytesMax).fill(1);
    const longest: ReportedPolicy = {
      ...one,
      proxyId: "p".repeat(1_024),
      spiffeId: `spiffe://td/${"a".repeat(2_000)}`,
      labels: new Map(
        Array.from({ length: 90 }, (_, at) => [`k${at}${"k".repeat(310)}`, "v".repeat(63)]),
      ),
      applied: { digest: policyDigest(octets), octets },
      nack: {
        digest: "ab".repeat(32),
        detail: "\u{20ac}".repeat(2_000),
        resources: Array.from({ length: 90 }, () => "r".repeat(300)),
        isPartial: true,
        octets: undefined,
      },
      draining: new Map(Array.from({ length: 900 }, (_, at) => [60_000 + at, 2 ** 32 - 1])),
    };
    const came = overWire(encodePolicyReports({ ...whole, proxies: [longest, longest, one] }));
    assert.deepEqual(
      came.map(({ proxies }) => proxies.length),
      [1, 1, 1],
    );
    const [first] = came.flatMap(({ proxies }) => proxies);
    assert.equal(first?.labels.size, 64);
    assert.equal(first?.nack?.detail.length, 1_024);
    assert.equal(first?.nack?.resources.length, 64);
    assert.equal(first?.draining.size, 512);
  });

  it("has the digest only of a policy that fits into no message", () => {
    const octets = new Uint8Array(reportedPolicyBytesMax + 1);
    const applied = { digest: policyDigest(octets), octets };
    const [came] = overWire(encodePolicyReports({ ...whole, proxies: [{ ...one, applied }] }));
    assert.deepEqual(came?.proxies[0]?.applied, { digest: applied.digest, octets: undefined });
  });

  it("has no policy of a refusal where that and what was acknowledged are more than a message", () => {
    const large = (fill: number, length: number) => {
      const octets = new Uint8Array(length).fill(fill);
      return { digest: policyDigest(octets), octets };
    };
    for (const length of [50_000, 150_000]) {
      const applied = large(1, reportedPolicyBytesMax - 100_000);
      const nack = { ...large(2, length), detail: "no", resources: [], isPartial: true };
      const [came] = overWire(
        encodePolicyReports({ ...whole, proxies: [{ ...one, applied, nack }] }),
      );
      const [proxy] = came?.proxies ?? [];
      assert.equal(proxy?.applied?.octets?.length, applied.octets.length);
      assert.equal(proxy?.nack?.octets?.length, length < 100_000 ? length : undefined);
    }
  });

  it("leaves out labels that Kubernetes would not take, and keeps 64", () => {
    const wrong = ["", "a b", "é", "k".repeat(318), "__proto__"].map((key) => [key, "v"] as const);
    const long = ["k", "v".repeat(64)] as const;
    const good = Array.from({ length: 70 }, (_, at) => [`app/k${at}`, "v_1.a-b"] as const);
    const kept = reportableLabels(new Map([...wrong, long, ...good]));
    assert.equal(kept.size, 64);
    assert([...kept.keys()].every((key) => key.startsWith("app/")));
  });
});

type Proxies = NonNullable<MessageInitShape<typeof PolicyReportSchema>["proxies"]>;

const refused: readonly (readonly [string, Proxies, string])[] = [
  ["with a name that is too long", [{ proxyId: "p".repeat(2_049) }], "mesh-name-too-long"],
  ["with a digest that is none", [{ appliedDigest: Uint8Array.of(1) }], "mesh-digest-malformed"],
  ["with a policy without its digest", [{ applied: Uint8Array.of(1) }], "mesh-digest-malformed"],
  [
    "with a policy that another digest names",
    [{ applied: Uint8Array.of(1), appliedDigest: new Uint8Array(32) }],
    "mesh-digest-malformed",
  ],
  [
    "with a refused policy that another digest names",
    [{ nack: { digest: new Uint8Array(32), policy: Uint8Array.of(1) } }],
    "mesh-digest-malformed",
  ],
  ["with a refusal of nothing", [{ nack: { detail: "no" } }], "mesh-digest-malformed"],
  ["with a label that is none", [{ labels: { "a b": "c" } }], "mesh-policy-malformed"],
  [
    "with 65 labels",
    [{ labels: Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`k${at}`, ""])) }],
    "mesh-policy-malformed",
  ],
  ["with connections on port 0", [{ draining: [{ port: 0, count: 1 }] }], "mesh-policy-malformed"],
  ["with more ports than a proxy has", [{ draining: ports(513) }], "mesh-policy-malformed"],
  ["of more proxies than an agent has", proxies(8_193), "mesh-policy-malformed"],
];

function ports(count: number): { readonly port: number }[] {
  return Array.from({ length: count }, (_, at) => ({ port: at + 1 }));
}

function proxies(count: number): Proxies {
  return Array.from({ length: count }, () => ({}));
}

describe("refuses a report", () => {
  for (const [what, proxies, code] of refused) {
    it(what, () => {
      const wire = create(PolicyReportSchema, { proxies });
      assert.throws(() => parsePolicyReport(wire), { code });
    });
  }

  it("of an identity that is none", () => {
    const wire = create(PolicyReportSchema, { proxies: [{ spiffeId: "spiffe://" }] });
    assert.throws(() => parsePolicyReport(wire), { name: "SpiffeIdError" });
  });
});

describe("a snapshot", () => {
  const octets = encodePolicy(policyOf("strict"));

  it("brings each proxy its octets, in messages that an agent takes", () => {
    const large = new Uint8Array(150_000).fill(7);
    const all = [
      { proxyId: "a", spiffeId: undefined, octets },
      { proxyId: "b", spiffeId: "spiffe://td/b", octets: large },
      { proxyId: "c", spiffeId: undefined, octets: large },
      { proxyId: "d", spiffeId: undefined, octets: new Uint8Array() },
    ];
    const messages = encodePolicySnapshots(all).map((response) => {
      const { message } = fromBinary(
        ConnectResponseSchema,
        toBinary(ConnectResponseSchema, response),
      );
      assert(message.case === "policy");
      return policyAssignments(message.value);
    });
    assert.deepEqual(
      messages.map(({ length }) => length),
      [2, 2],
    );
    assert.deepEqual(messages.flat(), all);
  });

  it("of nobody is one message: there is policy here", () => {
    const [response, ...others] = encodePolicySnapshots([]);
    assert(response?.message.case === "policy");
    assert.deepEqual([policyAssignments(response.message.value), others], [[], []]);
  });
});
