/**
 * Rows of a ConnectionReport. A report tells of many Envoys, and a workload may make its own up: a row that makes no sense is taken for the
 * nearest that does and proves least, and never keeps the others from being heard.
 */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  ConnectionKind,
  PortCoverage,
  SeenConnections,
  Source,
} from "../../core/evidence/connection.ts";
import { ipOfOctets, octetsOfIp } from "../../core/evidence/ip-address.ts";
import {
  ConnectionKind as WireKind,
  type PortCoverage as WireCoverage,
  type PortCoverageSchema,
  type SeenConnections as WireSeen,
  type SeenConnectionsSchema,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import {
  identityOf,
  parseCount,
  parseTime,
  wholeMs,
  wireCount,
  wireOpen,
} from "./connection-fields.ts";

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

export function seenInit(seen: SeenConnections): MessageInitShape<typeof SeenConnectionsSchema> {
  const { port, kind, isRefused, source, count, claim } = seen;
  const firstMs = wholeMs(seen.firstMs, "first");
  const lastMs = Math.max(firstMs, wholeMs(seen.lastMs, "last"));
  return {
    port,
    kind: wireKinds[kind],
    refused: isRefused,
    ...sourceInit(source),
    firstMs: BigInt(firstMs),
    lastMs: BigInt(lastMs),
    count: wireCount(count),
    claim: printable(claim),
  };
}

/** @returns undefined for a port that is none */
export function parseSeen(wire: WireSeen): SeenConnections | undefined {
  if (!isPort(wire.port)) return undefined;
  // What a later agent may call them is no mTLS.
  const kind = kinds.get(wire.kind) ?? "plaintext";
  const firstMs = parseTime(wire.firstMs);
  const lastMs = Math.max(firstMs, parseTime(wire.lastMs));
  // None where it goes on with connections that were counted when they began.
  const count = parseCount(wire.count);
  return {
    port: wire.port,
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
  const { port, lostUnmeshed, lostMeshed, openUnnamed, openMeshed = 0 } = coverage;
  const untilMs = wholeMs(coverage.untilMs, "first");
  const sinceMs = Math.min(wholeMs(coverage.sinceMs, "last"), untilMs);
  return {
    port,
    sinceMs: BigInt(sinceMs),
    untilMs: BigInt(untilMs),
    lostUnmeshed: wireCount(lostUnmeshed),
    lostMeshed: wireCount(lostMeshed),
    openUnnamed: wireOpen(openUnnamed),
    openMeshed: wireOpen(openMeshed),
  };
}

/** @returns undefined for a port that is none */
export function parseCoverage(wire: WireCoverage): PortCoverage | undefined {
  const { port } = wire;
  const untilMs = parseTime(wire.untilMs);
  if (!isPort(port)) return undefined;
  return {
    port,
    sinceMs: Math.min(parseTime(wire.sinceMs), untilMs),
    untilMs,
    lostUnmeshed: parseCount(wire.lostUnmeshed),
    lostMeshed: parseCount(wire.lostMeshed),
    openUnnamed: wire.openUnnamed,
    openMeshed: wire.openMeshed,
  };
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}

function sourceInit(source: Source): Pick<WireSeen, "sourceSpiffeId" | "sourceAddress"> {
  const { kind } = source;
  return {
    sourceSpiffeId: kind === "identity" ? source.spiffeId : "",
    sourceAddress: Uint8Array.from(kind === "address" ? octetsOfIp(source.address) : []),
  };
}

const others: Source = Object.freeze({ kind: "others" });

/** One that cannot be is anybody. */
function parseSource({ sourceSpiffeId, sourceAddress }: WireSeen, kind: ConnectionKind): Source {
  const hasAddress = sourceAddress.length > 0;
  if (sourceSpiffeId !== "") {
    const spiffeId = kind === "mtls" && !hasAddress ? identityOf(sourceSpiffeId) : undefined;
    return spiffeId === undefined ? others : { kind: "identity", spiffeId };
  }
  const address = ipOfOctets(sourceAddress);
  return address === undefined ? others : { kind: "address", address };
}

/** It comes from whoever calls, and is shown on terminals. */
function printable(claim: string): string {
  return claim === "" ? "" : claim.slice(0, claimLengthMax).replaceAll(/[^\x20-\x7e]/g, "?");
}
