/** Rows of a ConnectionReport: what is taken of them, and what is refused. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  ConnectionKind,
  PortCoverage,
  SeenConnections,
  Source,
} from "../../core/evidence/connection.ts";
import { ipOfOctets, octetsOfIp } from "../../core/evidence/ip-address.ts";
import { SpiffeId } from "../../core/spiffe/id.ts";
import {
  ConnectionKind as WireKind,
  type PortCoverage as WireCoverage,
  type PortCoverageSchema,
  type SeenConnections as WireSeen,
  type SeenConnectionsSchema,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { MeshMessageError } from "./mesh-fields.ts";

/** Of one row of one report: sums of them have to stay safe integers. */
const countMax = 1_000_000_000;
const openMax = 4_294_967_295;
/** The end of the year 9999. */
const timeMsMax = 253_402_300_799_999;
const claimLengthMax = 64;

const wireKinds: Readonly<Record<ConnectionKind, WireKind>> = {
  mtls: WireKind.MTLS,
  tls: WireKind.TLS,
  passthrough: WireKind.PASSTHROUGH,
  plaintext: WireKind.PLAINTEXT,
};
const kinds = new Map<WireKind, ConnectionKind>([
  [WireKind.MTLS, "mtls"],
  [WireKind.TLS, "tls"],
  [WireKind.PASSTHROUGH, "passthrough"],
]);

/** @throws MeshMessageError */
export function assertConnections(isSo: boolean, expected: string): void {
  if (isSo) return;
  throw new MeshMessageError("mesh-connections-malformed", `connections: expected ${expected}`);
}

export function seenInit(seen: SeenConnections): MessageInitShape<typeof SeenConnectionsSchema> {
  const { port, kind, isRefused, source, firstMs, lastMs, count, claim } = seen;
  return {
    port,
    kind: wireKinds[kind],
    refused: isRefused,
    ...sourceInit(source),
    firstMs: wireTime(firstMs),
    lastMs: wireTime(lastMs),
    count: BigInt(Math.min(count, countMax)),
    claim: printable(claim),
  };
}

/** @throws MeshMessageError, SpiffeIdError */
export function parseSeen(wire: WireSeen): SeenConnections {
  // What a later agent may call them is no mTLS.
  const kind = kinds.get(wire.kind) ?? "plaintext";
  const firstMs = parseTime(wire.firstMs);
  const lastMs = parseTime(wire.lastMs);
  assertConnections(firstMs <= lastMs, "the first of connections before the last");
  // None where it goes on with connections that were counted when they began.
  const count = countOf(wire.count, countMax, "count");
  return {
    port: parsePort(wire.port),
    kind,
    isRefused: wire.refused,
    source: parseSource(wire, kind),
    firstMs,
    lastMs,
    count,
    claim: printable(wire.claim),
  };
}

export function coverageInit(coverage: PortCoverage): MessageInitShape<typeof PortCoverageSchema> {
  const { port, sinceMs, untilMs, lostUnmeshed, lostMeshed, openUnnamed } = coverage;
  return {
    port,
    sinceMs: wireTime(sinceMs),
    untilMs: wireTime(untilMs),
    lostUnmeshed: BigInt(Math.min(lostUnmeshed, countMax)),
    lostMeshed: BigInt(Math.min(lostMeshed, countMax)),
    openUnnamed: Math.min(openUnnamed, openMax),
  };
}

/** @throws MeshMessageError */
export function parseCoverage(wire: WireCoverage): PortCoverage {
  const sinceMs = parseTime(wire.sinceMs);
  const untilMs = parseTime(wire.untilMs);
  assertConnections(sinceMs <= untilMs, "a span that begins before it ends");
  return {
    port: parsePort(wire.port),
    sinceMs,
    untilMs,
    lostUnmeshed: countOf(wire.lostUnmeshed, countMax, "lost_unmeshed"),
    lostMeshed: countOf(wire.lostMeshed, countMax, "lost_meshed"),
    openUnnamed: wire.openUnnamed,
  };
}

/** @param ms Unix ms, of a clock that may know parts of them */
export function wireTime(ms: number): bigint {
  return BigInt(Math.floor(ms));
}

/** @returns Unix ms @throws MeshMessageError */
export function parseTime(wire: bigint): number {
  return countOf(wire, timeMsMax, "time");
}

/** @throws MeshMessageError */
export function countOf(wire: bigint, max: number, field: string): number {
  const value = Number(wire);
  assertConnections(value <= max, `${field} of at most ${max}, got ${wire}`);
  return value;
}

function parsePort(port: number): number {
  assertConnections(port >= 1 && port <= 65_535, `a port of 1 to 65535, got ${port}`);
  return port;
}

function sourceInit(source: Source): Pick<WireSeen, "sourceSpiffeId" | "sourceAddress"> {
  const { kind } = source;
  return {
    sourceSpiffeId: kind === "identity" ? source.spiffeId : "",
    sourceAddress: Uint8Array.from(kind === "address" ? octetsOfIp(source.address) : []),
  };
}

const others: Source = Object.freeze({ kind: "others" });

function parseSource({ sourceSpiffeId, sourceAddress }: WireSeen, kind: ConnectionKind): Source {
  const hasAddress = sourceAddress.length > 0;
  if (sourceSpiffeId !== "") {
    assertConnections(!hasAddress, "an identity or an address, got both");
    assertConnections(kind === "mtls", `an identity with mtls only, got ${kind}`);
    return { kind: "identity", spiffeId: SpiffeId.parse(sourceSpiffeId).toString() };
  }
  if (!hasAddress) return others;
  const address = ipOfOctets(sourceAddress) ?? "";
  const got = `got ${sourceAddress.length}`;
  assertConnections(address !== "", `an address of 4 or 16 octets, ${got}`);
  return { kind: "address", address };
}

/** It comes from whoever calls, and is shown on terminals. */
function printable(claim: string): string {
  return claim === "" ? "" : claim.slice(0, claimLengthMax).replaceAll(/[^\x20-\x7e]/g, "?");
}
