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
  type ProxyConnectionsSchema,
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
  .tuple(portArb, timeArb, timeArb, countArb, countArb, fc.nat(), fc.nat())
  .map(([port, a, b, lostUnmeshed, lostMeshed, openUnnamed, openMeshed]) => {
    const times = { sinceMs: Math.min(a, b), untilMs: Math.max(a, b) };
    return { port, ...times, lostUnmeshed, lostMeshed, openUnnamed, openMeshed };
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

const timeMsMax = 253_402_300_799_999;
const others = { kind: "others" };
/** What is taken for it. */
const odd: Readonly<Record<string, readonly [WireInit, object]>> = {
  "more connections than there can be": [withSeen({ count: 1n << 60n }), { count: 1_000_000_000 }],
  "the last before the first": [withSeen({ lastMs: 4n }), { firstMs: 5, lastMs: 5 }],
  "a time that is no time": [withSeen({ lastMs: 1n << 63n }), { lastMs: timeMsMax }],
  "an address of 5 octets": [withSeen({ sourceAddress: new Uint8Array(5) }), { source: others }],
  "a caller with an identity and an address": [
    withSeen({ kind: 1, sourceSpiffeId: "spiffe://td/a", sourceAddress: new Uint8Array(4) }),
    { source: others },
  ],
  "a caller with an identity in plaintext": [
    withSeen({ sourceSpiffeId: "spiffe://td/a" }),
    { kind: "plaintext", source: others },
  ],
  "a caller whose identity is none": [
    withSeen({ kind: 1, sourceSpiffeId: "td/a" }),
    { source: others },
  ],
  "a span that ends before it begins": [withCoverage({ untilMs: 4n }), { sinceMs: 4, untilMs: 4 }],
  "a span from after the year 9999": [
    withCoverage({ sinceMs: 1n << 61n, untilMs: 1n << 62n }),
    { sinceMs: timeMsMax, untilMs: timeMsMax },
  ],
  "more lost connections than there can be": [
    withCoverage({ lostMeshed: 1n << 40n }),
    { lostMeshed: 1_000_000_000 },
  ],
};

const nobody: Readonly<Record<string, MessageInitShape<typeof ProxyConnectionsSchema>>> = {
  "a node id of 2,049 characters": { proxyId: "x".repeat(2_049) },
  "an identity that is none": { proxyId: "p", spiffeId: "spiffe:/web" },
};

const bad: Readonly<Record<string, WireInit>> = {
  "without a run": {},
  "with a run of 15 octets": { runId: runId.subarray(1) },
  "with a sequence that is no safe integer": { runId, sequence: 1n << 60n },
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

  it("can be sent and is taken whatever its numbers are, and covers no more for it", () => {
    const anyArb = fc.oneof(fc.double(), fc.constantFrom(NaN, Infinity, -Infinity, -1, 0.5));
    const seenRowArb = fc
      .tuple(seenArb, anyArb, anyArb, anyArb)
      .map(([row, firstMs, lastMs, count]) => ({ ...row, firstMs, lastMs, count }));
    const coverageRowArb = fc
      .tuple(anyArb, anyArb, anyArb, anyArb, anyArb)
      .map(([sinceMs, untilMs, lostUnmeshed, lostMeshed, openUnnamed]) => {
        return { port: 80, sinceMs, untilMs, lostUnmeshed, lostMeshed, openUnnamed };
      });
    const proxy = { proxyId: "p", spiffeId: undefined };
    fc.assert(
      fc.property(anyArb, seenRowArb, coverageRowArb, (epochMs, row, covered) => {
        const proxies = [{ ...proxy, epochMs, seen: [row], coverage: [covered] }];
        const [sent] = throughWire({ runId: "ab".repeat(16), sequence: 1, proxies }).proxies;
        const [span] = sent?.coverage ?? [];
        assert.ok(span !== undefined && sent?.seen.length === 1);
        const { sinceMs, untilMs } = covered;
        if (!(sinceMs < untilMs)) assert.equal(span.sinceMs, span.untilMs);
        for (const lost of ["lostUnmeshed", "lostMeshed", "openUnnamed"] as const) {
          if (Number.isNaN(covered[lost])) assert.ok(span[lost] > 0);
        }
      }),
    );
  });

  for (const [what, init] of Object.entries(bad)) {
    it(`${what} is refused`, () => {
      assert.throws(() => parse(init), MeshMessageError);
    });
  }

  for (const [what, [init, expected]] of Object.entries(odd)) {
    it(`is taken with ${what}, for what proves least`, () => {
      const [proxy] = parse(init).proxies;
      const [row] = [...(proxy?.seen ?? []), ...(proxy?.coverage ?? [])];
      assert.deepEqual({ ...row, ...expected }, row);
    });
  }

  for (const [what, proxy] of Object.entries(nobody)) {
    it(`is taken for all but a proxy of ${what}`, () => {
      const good = { proxyId: "good", seen: [seen], coverage: [coverage] };
      const { proxies } = parse({ runId, proxies: [{ seen: [seen], ...proxy }, good] });
      assert.deepEqual(
        proxies.map(({ proxyId }) => proxyId),
        ["good"],
      );
      assert.deepEqual(proxies, parse({ runId, proxies: [good] }).proxies);
    });
  }

  it("covers nothing for a proxy of which a row has no port, and all for the others", () => {
    for (const port of [0, 65_536]) {
      for (const rows of [
        { seen: [{ ...seen, port }, seen], coverage: [coverage] },
        { seen: [seen], coverage: [coverage, { ...coverage, port }] },
      ]) {
        const good = { proxyId: "good", coverage: [coverage] };
        const { proxies } = parse({ runId, proxies: [{ proxyId: "p", ...rows }, good] });
        const covered = proxies.map((proxy) => [
          proxy.seen.length,
          ...proxy.coverage.map(({ sinceMs, untilMs, lostUnmeshed }) => {
            return [untilMs - sinceMs, lostUnmeshed];
          }),
        ]);
        assert.deepEqual(covered, [
          [1, [0, 1]],
          [0, [1, 0]],
        ]);
      }
    }
  });

  it("of an Envoy from after the year 9999 is of the last one before", () => {
    const { proxies } = parse({ runId, proxies: [{ proxyId: "p", epochMs: 1n << 52n }] });
    assert.equal(proxies[0]?.epochMs, timeMsMax);
  });

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

describe("a report of an Envoy with many spans", () => {
  it("is cut into messages that fit, too", () => {
    const coverage = Array.from({ length: 16_384 }, (_, at) => coverageOf(at + 1));
    const proxy = { proxyId: "p", spiffeId: undefined, epochMs: 1, seen: [], coverage };
    const batches = connectionBatches([proxy]);
    for (const proxies of batches) {
      const report = { runId: "ab".repeat(16), sequence: 1, proxies };
      const octets = toBinary(ConnectRequestSchema, encodeConnectionReport(report));
      assert.ok(octets.length < 262_144);
      assert.deepEqual(throughWire(report), report);
    }
    assert.deepEqual(
      batches.flat().flatMap((each) => each.coverage),
      coverage,
    );
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
  const none = { lostUnmeshed: 0, lostMeshed: 0, openUnnamed: 0, openMeshed: 0 };
  return { port, sinceMs: 5, untilMs: 6, ...none };
}
