import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import * as fc from "fast-check";
import type { EvidenceReport } from "../../core/roll/evidence.ts";
import { SpiffeIdError, TrustDomain } from "../../core/spiffe/id.ts";
import { trustBundle, TrustBundleError } from "../../core/spiffe/trust-bundle.ts";
import {
  ConnectRequestSchema,
  ConnectResponseSchema,
  EvidenceReportSchema,
  HeldLeavesSchema,
  RenewCertificatesSchema,
  TrustBundleSchema,
  type ConnectRequest,
  type ConnectResponse,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { MeshMessageError, type MeshMessageErrorCode } from "./mesh-fields.ts";
import {
  encodeBundle,
  encodeGoodbye,
  encodeHeldLeaves,
  encodeHello,
  encodeRenewCertificates,
  encodeReport,
  encodeTokens,
  parseBundle,
  parseHeldLeaves,
  parseRenewCertificates,
  parseReport,
} from "./mesh-messages.ts";

const uint64Max = 2n ** 64n - 1n;
const uint64 = fc.bigInt({ min: 0n, max: uint64Max });
const timeMs = fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 });
const name = (max: number): fc.Arbitrary<string> => fc.string({ maxLength: max, unit: "grapheme" });

const hexOf = (min: number, max: number): fc.Arbitrary<string> =>
  fc
    .uint8Array({ minLength: min, maxLength: max })
    .map((each) => Buffer.from(each).toString("hex"));
const digest = hexOf(32, 32);
const serial = hexOf(0, 19).map((rest) => `5a${rest}`);
const acked = fc.record(
  {
    atMs: timeMs,
    bundleSequence: uint64,
    rootsDigest: digest,
    certificate: fc.record({
      serialHex: fc.uint8Array({ maxLength: 20 }).map((each) => Buffer.from(each).toString("hex")),
      notAfterMs: timeMs,
    }),
  },
  { requiredKeys: ["atMs", "bundleSequence"] },
);
const subscription = fc.record(
  {
    streamId: uint64,
    resourceName: name(30),
    acked,
    nack: fc.record({ atMs: timeMs, version: name(20), detail: name(60) }),
  },
  { requiredKeys: ["streamId", "resourceName"] },
);
const held = fc.record({ heldRootsDigest: digest, heldBundleSequence: uint64 });
const evidence = fc.record(
  {
    sequence: uint64,
    full: fc.boolean(),
    proxies: fc.array(
      fc.record(
        {
          proxyId: name(30),
          weak: fc.constant(true as const),
          spiffeId: fc.constantFrom("spiffe://td/a", "spiffe://td/ns/b/sa/c"),
          subscriptions: fc.array(subscription, { maxLength: 3 }),
        },
        { requiredKeys: ["proxyId", "subscriptions"] },
      ),
      { maxLength: 3 },
    ),
    gone: fc.array(name(30), { maxLength: 3 }),
    unobservedReaders: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  },
  { requiredKeys: ["sequence", "full", "proxies", "gone"] },
);
const report: fc.Arbitrary<EvidenceReport> = fc
  .tuple(evidence, fc.option(held, { nil: {} }))
  .map(([rest, own]) => ({ ...rest, ...own }));

const asRequest = (message: ConnectRequest): ConnectRequest["message"] =>
  fromBinary(ConnectRequestSchema, toBinary(ConnectRequestSchema, message)).message;
const asResponse = (message: ConnectResponse): ConnectResponse["message"] =>
  fromBinary(ConnectResponseSchema, toBinary(ConnectResponseSchema, message)).message;

describe("a report", () => {
  it("is the same behind the wire", () => {
    fc.assert(
      fc.property(report, (report) => {
        const message = asRequest(encodeReport(report));
        assert.ok(message.case === "report");
        assert.deepEqual(withoutPrototypes(parseReport(message.value)), withoutPrototypes(report));
      }),
    );
  });

  it("has its texts cut, and its names never", () => {
    const parsed = parseOne({ nack: { version: "v".repeat(999), detail: "d".repeat(9_999) } });
    assert.equal(parsed?.nack?.version.length, 128);
    assert.equal(parsed?.nack?.detail.length, 1_024);
    const longest = "n".repeat(2_048);
    assert.equal(parseOne({ resourceName: longest })?.resourceName, longest);
    refuses("mesh-name-too-long", { proxies: [{ proxyId: `${longest}n` }] });
    refuses("mesh-name-too-long", { gone: [`${longest}n`] });
    refuses("mesh-name-too-long", {
      proxies: [{ subscriptions: [{ resourceName: `${longest}n` }] }],
    });
  });

  it("of a proxy whose owner is no SPIFFE ID is refused", () => {
    const wire = create(EvidenceReportSchema, { proxies: [{ spiffeId: "cart" }] });
    assert.throws(() => parseReport(wire), SpiffeIdError);
  });

  it("with a time that no Timestamp may have is refused", () => {
    for (const seconds of [2n ** 63n - 1n, -(2n ** 63n), 253_402_300_800n, -62_135_596_801n]) {
      const time = { seconds, nanos: 0 };
      const valid = timestampFromMs(0);
      for (const subscription of [
        { ackedAt: time },
        { ackedAt: valid, certificate: { notAfter: time } },
        { nack: { at: time } },
      ]) {
        refuses("mesh-time-out-of-range", { proxies: [{ subscriptions: [subscription] }] });
      }
    }
  });

  it("proves nothing by a certificate, a sequence or roots that were never acknowledged", () => {
    const rootsDigest = new Uint8Array(32);
    const parsed = parseOne({ certificate: { serial: "01" }, bundleSequence: 7n, rootsDigest });
    assert.deepEqual(parsed, { streamId: 0n, resourceName: "" });
  });

  it("with a digest that is none is refused", () => {
    for (const length of [1, 31, 33]) {
      const rootsDigest = new Uint8Array(length);
      refuses("mesh-digest-malformed", { heldRootsDigest: rootsDigest });
      const subscription = { ackedAt: timestampFromMs(0), rootsDigest };
      refuses("mesh-digest-malformed", { proxies: [{ subscriptions: [subscription] }] });
    }
  });

  it("takes times that are missing as the start of 1970", () => {
    const parsed = parseOne({ ackedAt: timestampFromMs(5), certificate: {}, nack: {} });
    assert.equal(parsed?.acked?.certificate?.notAfterMs, 0);
    assert.equal(parsed?.nack?.atMs, 0);
    assert.equal(timestampMs(timestampFromMs(5)), parsed?.acked?.atMs);
  });
});

describe("held leaves", () => {
  const leaves = fc.record({
    full: fc.boolean(),
    held: fc.array(fc.record({ serialHex: serial, notAfterMs: timeMs }), {
      maxLength: 3,
    }),
    dropped: fc.array(serial, { maxLength: 3 }),
  });
  const parse = (init: MessageInitShape<typeof HeldLeavesSchema>) => (): unknown =>
    parseHeldLeaves(create(HeldLeavesSchema, init));

  it("are the same behind the wire", () => {
    fc.assert(
      fc.property(leaves, (leaves) => {
        const message = asRequest(encodeHeldLeaves(leaves));
        assert.ok(message.case === "leaves");
        assert.deepEqual(
          withoutPrototypes(parseHeldLeaves(message.value)),
          withoutPrototypes(leaves),
        );
      }),
    );
  });

  it("are refused with what is no serial or no time, and when they are too many", () => {
    const good = { serial: Uint8Array.of(1) };
    for (const octets of [[], [0], [0, 1], Array<number>(21).fill(1)]) {
      const serial = Uint8Array.from(octets);
      isRefused("mesh-serial-malformed", parse({ held: [{ ...good, serial }] }));
      isRefused("mesh-serial-malformed", parse({ dropped: [serial] }));
    }
    const notAfter = { seconds: 2n ** 62n, nanos: 0 };
    isRefused("mesh-time-out-of-range", parse({ held: [{ ...good, notAfter }] }));
    isRefused("mesh-list-too-long", parse({ held: Array.from({ length: 8_193 }, () => good) }));
    isRefused(
      "mesh-list-too-long",
      parse({ dropped: Array.from({ length: 8_193 }, () => good.serial) }),
    );
  });

  it("without a time have ended", () => {
    const wire = create(HeldLeavesSchema, { held: [{ serial: Uint8Array.of(1) }] });
    const expected = [{ serialHex: "01", notAfterMs: 0 }];
    assert.deepEqual(parseHeldLeaves(wire).held, expected);
  });
});

describe("a request to renew", () => {
  it("is the same behind the wire", () => {
    fc.assert(
      fc.property(fc.array(serial, { maxLength: 5 }), (serials) => {
        const octets = serials.map((each) => Buffer.from(each, "hex"));
        const message = asResponse(encodeRenewCertificates(octets));
        assert.ok(message.case === "renew");
        assert.deepEqual(parseRenewCertificates(message.value), serials);
      }),
    );
  });

  it("is refused with what is no serial, and when it names too many", () => {
    const parse = (serials: Uint8Array[]) => (): unknown =>
      parseRenewCertificates(create(RenewCertificatesSchema, { serials }));
    isRefused("mesh-serial-malformed", parse([new Uint8Array(1)]));
    isRefused("mesh-list-too-long", parse(Array.from({ length: 8_193 }, () => Uint8Array.of(1))));
  });
});

describe("a bundle", () => {
  it("is the same behind the wire", () => {
    const trustDomain = TrustDomain.parse("cluster.local");
    const roots = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(uint64, roots, (sequence, roots) => {
        const bundle = trustBundle(trustDomain, sequence, roots);
        const message = asResponse(encodeBundle(bundle));
        assert.ok(message.case === "bundle");
        const parsed = parseBundle(message.value);
        assert.equal(parsed.sequence, sequence);
        assert.ok(parsed.trustDomain.equals(trustDomain));
        assert.deepEqual(withoutPrototypes(parsed.roots), withoutPrototypes(bundle.roots));
      }),
    );
  });

  it("without a root, or of no trust domain, is refused", () => {
    const root = Uint8Array.of(1);
    const bundle = (init: MessageInitShape<typeof TrustBundleSchema>): unknown =>
      parseBundle(create(TrustBundleSchema, init));
    assert.throws(() => bundle({ trustDomain: "td", sequence: 1n }), TrustBundleError);
    assert.throws(() => bundle({ trustDomain: "", sequence: 1n, roots: [root] }), SpiffeIdError);
    assert.throws(() => bundle({ trustDomain: "TD", sequence: 1n, roots: [root] }), SpiffeIdError);
  });
});

describe("the small messages", () => {
  it("say what they were given", () => {
    const hello = asRequest(encodeHello("agent-1", "0.1.0", uint64Max));
    assert.ok(hello.case === "hello");
    const { agentId, agentVersion, bundleSequence } = hello.value;
    assert.deepEqual([agentId, agentVersion, bundleSequence], ["agent-1", "0.1.0", uint64Max]);
    assert.equal(hello.value.agentTime, undefined);
    const timed = asRequest(encodeHello("agent-1", "0.1.0", 0n, undefined, 1_234));
    assert.ok(timed.case === "hello" && timed.value.agentTime !== undefined);
    assert.equal(timestampMs(timed.value.agentTime), 1_234);
    assert.equal(asRequest(encodeGoodbye()).case, "goodbye");
    const tokens = asRequest(encodeTokens(["a.b.c", "d.e.f"]));
    assert.ok(tokens.case === "tokens");
    assert.deepEqual(tokens.value.tokens, ["a.b.c", "d.e.f"]);
  });
});

type ReportInit = MessageInitShape<typeof EvidenceReportSchema>;
type SubscriptionInit = NonNullable<
  NonNullable<ReportInit["proxies"]>[number]["subscriptions"]
>[number];

function parseOne(subscription: SubscriptionInit) {
  const wire = create(EvidenceReportSchema, { proxies: [{ subscriptions: [subscription] }] });
  return parseReport(wire).proxies[0]?.subscriptions[0];
}

function refuses(code: MeshMessageErrorCode, init: ReportInit): void {
  isRefused(code, () => parseReport(create(EvidenceReportSchema, init)));
}

function isRefused(code: MeshMessageErrorCode, act: () => unknown): void {
  assert.throws(act, (error) => error instanceof MeshMessageError && error.code === code);
}

/** Buffers and Uint8Arrays, records with and without a prototype are equal here. */
function withoutPrototypes(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, each: unknown) => {
      if (typeof each === "bigint") return `${each}n`;
      return each instanceof Uint8Array ? Buffer.from(each).toString("hex") : each;
    }),
  );
}
