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
import { SpiffeId, SpiffeIdError } from "../../core/spiffe/id.ts";
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
  const { port, kind, isRefused, source, count, claim } = seen;
  const firstMs = within(seen.firstMs, timeMsMax, 0);
  const lastMs = Math.max(firstMs, within(seen.lastMs, timeMsMax, timeMsMax));
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
  const count = atMost(wire.count, countMax);
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
  const { port, sinceMs, lostUnmeshed, lostMeshed, openUnnamed } = coverage;
  const untilMs = within(coverage.untilMs, timeMsMax, 0);
  return {
    port,
    sinceMs: BigInt(within(sinceMs, untilMs, untilMs)),
    untilMs: BigInt(untilMs),
    lostUnmeshed: wireCount(lostUnmeshed),
    lostMeshed: wireCount(lostMeshed),
    openUnnamed: within(openUnnamed, openMax, openMax),
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
    lostUnmeshed: atMost(wire.lostUnmeshed, countMax),
    lostMeshed: atMost(wire.lostMeshed, countMax),
    openUnnamed: wire.openUnnamed,
  };
}

/** @param ms Unix ms, of a clock that may know parts of them */
export function wireTime(ms: number): bigint {
  return BigInt(within(ms, timeMsMax, 0));
}

function wireCount(count: number): bigint {
  return BigInt(within(count, countMax, countMax));
}

/**
 * A report has what many Envoys say, each as it likes: what one of them says is never why none of it can be sent.
 * @param otherwise for what is no number: what covers least
 */
function within(value: number, max: number, otherwise: number): number {
  return Number.isNaN(value) ? otherwise : Math.min(Math.max(0, Math.floor(value)), max);
}

/** @returns Unix ms; one that is too late is as late as can be */
export function parseTime(wire: bigint): number {
  return atMost(wire, timeMsMax);
}

function atMost(wire: bigint, max: number): number {
  return Math.min(Number(wire), max);
}

/** @throws MeshMessageError */
export function countOf(wire: bigint, max: number, field: string): number {
  const value = Number(wire);
  assertConnections(value <= max, `${field} of at most ${max}, got ${wire}`);
  return value;
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

/** @returns undefined for one that is none */
export function identityOf(uri: string): string | undefined {
  try {
    return SpiffeId.parse(uri).toString();
  } catch (error) {
    if (error instanceof SpiffeIdError) return undefined;
    throw error;
  }
}

/** It comes from whoever calls, and is shown on terminals. */
function printable(claim: string): string {
  return claim === "" ? "" : claim.slice(0, claimLengthMax).replaceAll(/[^\x20-\x7e]/g, "?");
}
