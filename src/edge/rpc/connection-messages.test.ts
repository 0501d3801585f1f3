import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import type {
  ConnectionReport,
  ProxyConnections,
  SeenConnections,
} from "../../core/evidence/connection.ts";
import { ipOfOctets } from "../../core/evidence/ip-address.ts";
import {
  ConnectionKind as WireKind,
  ConnectionReportSchema,
  ConnectRequestSchema,
  ConnectResponseSchema,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { connectionBatches } from "./connection-batches.ts";
import {
  encodeCollectConnections,
  encodeConnectionAck,
  encodeConnectionReport,
  parseCollectConnections,
  parseConnectionAck,
  parseConnectionReport,
} from "./connection-messages.ts";
import { MeshMessageError } from "./mesh-fields.ts";

const { MAX_SAFE_INTEGER } = Number;
const timeArb = fc.integer({ min: 0, max: 253_402_300_799_999 });
const countArb = fc.integer({ min: 0, max: 1_000_000_000 });
const portArb = fc.integer({ min: 1, max: 65_535 });
const runArb = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((octets) => {
  return Buffer.from(octets).toString("hex");
});
const addressArb = fc
  .constantFrom(4, 16)
  .chain((length) => fc.uint8Array({ minLength: length, maxLength: length }))
  .map((octets) => ({ kind: "address" as const, address: ipOfOctets(octets) ?? "" }));
const unverifiedArb = fc.oneof(addressArb, fc.constant({ kind: "others" as const }));
const identityArb = fc.stringMatching(/^[a-z0-9-]{1,20}$/).map((name) => {
  return { kind: "identity" as const, spiffeId: `spiffe://mesh.test/ns/shop/sa/${name}` };
});
const callerArb = fc.oneof(
  fc.record({ kind: fc.constant("mtls" as const), source: fc.oneof(identityArb, unverifiedArb) }),
  fc.record({
    kind: fc.constantFrom("tls" as const, "passthrough" as const, "plaintext" as const),
    source: unverifiedArb,
  }),
);
const seenArb: fc.Arbitrary<SeenConnections> = fc
  .tuple(
    callerArb,
    portArb,
    fc.boolean(),
    timeArb,
    timeArb,
    countArb,
    fc.stringMatching(/^[ -~]{0,64}$/),
  )
  .map(([caller, port, isRefused, a, b, count, claim]) => {
    const times = { firstMs: Math.min(a, b), lastMs: Math.max(a, b) };
    return { ...caller, port, isRefused, ...times, count, claim };
  });
const coverageArb = fc
  .tuple(portArb, timeArb, timeArb, countArb, countArb, fc.nat())
  .map(([port, a, b, lostUnmeshed, lostMeshed, openUnnamed]) => {
    const times = { sinceMs: Math.min(a, b), untilMs: Math.max(a, b) };
    return { port, ...times, lostUnmeshed, lostMeshed, openUnnamed };
  });
const proxyArb: fc.Arbitrary<ProxyConnections> = fc.record({
  proxyId: fc.string({ maxLength: 40 }),
  spiffeId: fc.option(
    identityArb.map(({ spiffeId }) => spiffeId),
    { nil: undefined },
  ),
  epochMs: timeArb,
  seen: fc.array(seenArb, { maxLength: 4 }),
  coverage: fc.array(coverageArb, { maxLength: 3 }),
});
const reportArb: fc.Arbitrary<ConnectionReport> = fc.record({
  runId: runArb,
  sequence: fc.integer({ min: 0, max: MAX_SAFE_INTEGER }),
  proxies: fc.array(proxyArb, { maxLength: 3 }),
});

function throughWire(report: ConnectionReport): ConnectionReport {
  const octets = toBinary(ConnectRequestSchema, encodeConnectionReport(report));
  const { message } = fromBinary(ConnectRequestSchema, octets);
  assert.ok(message.case === "connections");
  return parseConnectionReport(message.value);
}

type WireInit = MessageInitShape<typeof ConnectionReportSchema>;

const runId = new Uint8Array(16).fill(7);
const seen = { port: 80, kind: WireKind.PLAINTEXT, firstMs: 5n, lastMs: 6n, count: 1n };
const coverage = { port: 80, sinceMs: 5n, untilMs: 6n };
const withSeen = (more: object): WireInit => ({
  runId,
  proxies: [{ proxyId: "p", seen: [{ ...seen, ...more }] }],
});
const withCoverage = (more: object): WireInit => ({
  runId,
  proxies: [{ proxyId: "p", coverage: [{ ...coverage, ...more }] }],
});
const parse = (init: WireInit): ConnectionReport =>
  parseConnectionReport(create(ConnectionReportSchema, init));

const bad: Readonly<Record<string, WireInit>> = {
  "without a run": {},
  "with a run of 15 octets": { runId: runId.subarray(1) },
  "with a sequence that is no safe integer": { runId, sequence: 1n << 60n },
  "with a node id of 2,049 characters": { runId, proxies: [{ proxyId: "x".repeat(2_049) }] },
  "of an identity that is none": { runId, proxies: [{ spiffeId: "spiffe:/web" }] },
  "of an Envoy from after the year 9999": { runId, proxies: [{ epochMs: 1n << 52n }] },
  "of port 0": withSeen({ port: 0 }),
  "of port 65536": withCoverage({ port: 65_536 }),
  "of more connections than there can be": withSeen({ count: 1_000_000_001n }),
  "of the last before the first": withSeen({ lastMs: 4n }),
  "of a time that is no time": withSeen({ lastMs: 1n << 63n }),
  "of an address of 5 octets": withSeen({ sourceAddress: new Uint8Array(5) }),
  "of a caller with an identity and an address": withSeen({
    kind: 1,
    sourceSpiffeId: "spiffe://td/a",
    sourceAddress: new Uint8Array(4),
  }),
  "of a caller with an identity in plaintext": withSeen({ sourceSpiffeId: "spiffe://td/a" }),
  "of a caller whose identity is none": withSeen({ kind: 1, sourceSpiffeId: "td/a" }),
  "of a span that ends before it begins": withCoverage({ untilMs: 4n }),
  "of more lost connections than there can be": withCoverage({ lostMeshed: 1n << 40n }),
  "of 16,385 rows": {
    runId,
    proxies: [{ proxyId: "p", coverage: Array.from({ length: 16_384 }, () => coverage) }],
  },
};

describe("a report of connections", () => {
  it("comes out as it went in", () => {
    fc.assert(
      fc.property(reportArb, (report) => {
        assert.deepEqual(throughWire(report), structuredClone(report));
      }),
    );
  });

  for (const [what, init] of Object.entries(bad)) {
    it(`${what} is refused`, () => {
      const isTyped = (error: unknown) => error instanceof MeshMessageError || isSpiffe(error);
      assert.throws(() => parse(init), isTyped);
    });
  }

  it("of a kind that is not known here is of plaintext: a later agent is not trusted for less", () => {
    for (const kind of [0, 5, 99]) {
      assert.equal(parse(withSeen({ kind })).proxies[0]?.seen[0]?.kind, "plaintext");
    }
  });

  it("has an IPv4-mapped address as an IPv4 one", () => {
    const sourceAddress = Buffer.from("00000000000000000000ffff0a000001", "hex");
    const source = parse(withSeen({ sourceAddress })).proxies[0]?.seen[0]?.source;
    assert.deepEqual(source, { kind: "address", address: "10.0.0.1" });
  });

  it("shows of a claim what a terminal can bear", () => {
    const claim = `kube-probe\u001b[31m\n\u00e9${"x".repeat(100)}`;
    const shown = parse(withSeen({ claim })).proxies[0]?.seen[0]?.claim;
    assert.equal(shown, `kube-probe?[31m??${"x".repeat(47)}`);
  });

  it("is cut into messages that fit, and of each proxy the coverage comes last", () => {
    const spiffeId = `spiffe://mesh.test/ns/shop/sa/${"x".repeat(300)}`;
    const row = {
      ...seen,
      kind: "mtls",
      isRefused: false,
      firstMs: 5,
      lastMs: 6,
      count: 1,
    } as const;
    const source = { kind: "identity", spiffeId } as const;
    const proxies: ProxyConnections[] = Array.from({ length: 40 }, (_, at) => ({
      proxyId: `p${at}`,
      spiffeId: undefined,
      epochMs: 1,
      seen: Array.from({ length: at * 10 }, (_, port) => {
        return { ...row, port: port + 1, source, claim: "" };
      }),
      coverage: [coverageOf(1), coverageOf(2)],
    }));
    const batches = connectionBatches(proxies);
    for (const batch of batches) {
      const report = { runId: "ab".repeat(16), sequence: 1, proxies: batch };
      const octets = toBinary(ConnectRequestSchema, encodeConnectionReport(report));
      assert.ok(octets.length < 262_144);
      assert.deepEqual(throughWire(report), report);
    }
    const parts = Map.groupBy(batches.flat(), ({ proxyId }) => proxyId);
    for (const proxy of proxies) {
      const all = parts.get(proxy.proxyId) ?? [];
      assert.deepEqual(
        all.flatMap((part) => part.seen),
        proxy.seen,
      );
      assert.deepEqual(
        all.map((part) => part.coverage.length),
        [...all.slice(1).map(() => 0), 2],
      );
    }
    assert.ok(batches.length > 2);
  });
});

describe("what the server says of reports", () => {
  it("comes out as it went in", () => {
    const ack = { runId: "0a".repeat(16), sequence: 7, unproven: ["spiffe://mesh.test/ns/a/sa/b"] };
    const octets = toBinary(ConnectResponseSchema, encodeConnectionAck(ack));
    const { message } = fromBinary(ConnectResponseSchema, octets);
    assert.ok(message.case === "connectionsAck");
    assert.deepEqual(parseConnectionAck(message.value), ack);
  });

  it("has an interval that makes sense", () => {
    const intervals = [0, 50, 10_000, 4_000_000_000].map((ms) => {
      const { message } = encodeCollectConnections(ms);
      assert.ok(message.case === "collect");
      return parseCollectConnections(message.value);
    });
    assert.deepEqual(intervals, [100, 100, 10_000, 600_000]);
  });
});

function coverageOf(port: number) {
  return { port, sinceMs: 5, untilMs: 6, lostUnmeshed: 0, lostMeshed: 0, openUnnamed: 0 };
}

function isSpiffe(error: unknown): boolean {
  return error instanceof Error && error.name === "SpiffeIdError";
}
