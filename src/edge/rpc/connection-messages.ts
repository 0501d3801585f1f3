/** CollectConnections, ConnectionReport and ConnectionAck of `portcullis.mesh.v1` <-> the values of core/evidence. */

import { create } from "@bufbuild/protobuf";
import { hexOf } from "../../core/bytes.ts";
import type {
  ConnectionReport,
  PortCoverage,
  ProxyConnections,
} from "../../core/evidence/connection.ts";
import {
  ConnectRequestSchema,
  ConnectResponseSchema,
  type CollectConnections,
  type ConnectionAck as WireAck,
  type ConnectionReport as WireReport,
  type ConnectRequest,
  type ConnectResponse,
  type ProxyConnections as WireProxy,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { assertConnections, countOf, identityOf, parseTime, wholeMs } from "./connection-fields.ts";
import { coverageInit, parseCoverage, parseSeen, seenInit } from "./connection-rows.ts";
import { MeshMessageError, octetsOf, parseName } from "./mesh-fields.ts";

/** It is durable. */
export interface ConnectionAck {
  readonly runId: string;
  readonly sequence: number;
  /** SPIFFE IDs of whom nothing was kept. */
  readonly unproven: readonly string[];
}

/** A message of 256 KiB has no room for more. */
const rowsMax = 16_384;
const unprovenMax = 4_096;
const intervalMsMin = 100;
const intervalMsMax = 600_000;
const runIdOctets = 16;

/** @param intervalMs of what is not new in kind */
export function encodeCollectConnections(intervalMs: number): ConnectResponse {
  return create(ConnectResponseSchema, { message: { case: "collect", value: { intervalMs } } });
}

/** @returns the interval, in ms; one that makes no sense is taken for the nearest that does */
export function parseCollectConnections({ intervalMs }: CollectConnections): number {
  return Math.min(Math.max(intervalMs, intervalMsMin), intervalMsMax);
}

export function encodeConnectionReport(report: ConnectionReport): ConnectRequest {
  const { runId, sequence, proxies } = report;
  const value = {
    runId: octetsOf(runId),
    sequence: BigInt(sequence),
    proxies: proxies.map(({ proxyId, spiffeId = "", epochMs, seen, coverage }) => ({
      proxyId,
      spiffeId,
      epochMs: BigInt(wholeMs(epochMs, "first")),
      seen: seen.map(seenInit),
      coverage: coverage.map(coverageInit),
    })),
  };
  return create(ConnectRequestSchema, { message: { case: "connections", value } });
}

/** What of it is of nobody says nothing. @throws MeshMessageError */
export function parseConnectionReport(wire: WireReport): ConnectionReport {
  const { runId, sequence, proxies } = wire;
  const rows = proxies.reduce((sum, { seen, coverage }) => sum + seen.length + coverage.length, 0);
  assertConnections(rows + proxies.length <= rowsMax, `at most ${rowsMax} rows, got ${rows}`);
  return { ...parseTurn(runId, sequence), proxies: proxies.flatMap(parseProxy) };
}

export function encodeConnectionAck({ runId, sequence, unproven }: ConnectionAck): ConnectResponse {
  const value = {
    runId: octetsOf(runId),
    sequence: BigInt(sequence),
    unproven: [...unproven],
  };
  return create(ConnectResponseSchema, { message: { case: "connectionsAck", value } });
}

/** @throws MeshMessageError */
export function parseConnectionAck({ runId, sequence, unproven }: WireAck): ConnectionAck {
  assertConnections(unproven.length <= unprovenMax, `at most ${unprovenMax} identities`);
  return { ...parseTurn(runId, sequence), unproven: unproven.map(parseName) };
}

function parseTurn(
  runId: Uint8Array,
  sequence: bigint,
): Pick<ConnectionReport, "runId" | "sequence"> {
  const { length } = runId;
  assertConnections(length === runIdOctets, `a run of ${runIdOctets} octets, got ${length}`);
  return { runId: hexOf(runId), sequence: countOf(sequence, Number.MAX_SAFE_INTEGER, "sequence") };
}

/** @returns none for one that is nobody's */
function parseProxy(wire: WireProxy): ProxyConnections[] {
  const { proxyId, spiffeId: uri, epochMs } = wire;
  const spiffeId = identityOf(uri);
  if (!isName(proxyId) || (uri !== "" && spiffeId === undefined)) return [];
  const seen = wire.seen.map(parseSeen).filter((each) => each !== undefined);
  const coverage = wire.coverage.map(parseCoverage).filter((each) => each !== undefined);
  // Of what could not be read nobody knows where it belongs.
  const isWhole = seen.length === wire.seen.length && coverage.length === wire.coverage.length;
  const covered = isWhole ? coverage : coverage.map(coveringNothing);
  return [{ proxyId, spiffeId, epochMs: parseTime(epochMs), seen, coverage: covered }];
}

function coveringNothing(coverage: PortCoverage): PortCoverage {
  return {
    ...coverage,
    sinceMs: coverage.untilMs,
    lostUnmeshed: Math.max(1, coverage.lostUnmeshed),
  };
}

function isName(name: string): boolean {
  try {
    return parseName(name) === name;
  } catch (error) {
    if (error instanceof MeshMessageError) return false;
    throw error;
  }
}
