/**
 * What a connection was, by its entry in the access log of an inbound port. Pure.
 *
 * Who left before it was known what he would say, or in the middle of a handshake that nobody had refused, is no caller: no mode would
 * have kept him out.
 */

import type { ConnectionKind, SeenConnections, Source } from "../../../core/evidence/connection.ts";
import type { ToldConnection } from "../../../core/evidence/connection-counts.ts";
import { canonicalIp } from "../../../core/evidence/ip-address.ts";
import type { ChainName } from "../../../core/envoy/inbound-chains.ts";
import { canaryChain } from "../../../core/evidence/chain-names.ts";
import { SpiffeId, SpiffeIdError } from "../../../core/spiffe/id.ts";
import type { AccessLogEntry } from "./access-log-entry.ts";

export interface LoggedConnection extends ToldConnection {
  readonly isEnd: boolean;
  /** It is counted by its chain, and is nobody's call: the agent's own, or of someone who left. */
  readonly isCall: boolean;
}

interface Class {
  readonly kind: ConnectionKind;
  readonly isRefused: boolean;
  readonly isCall: boolean;
}

/** The end of the year 9999: the server takes no later time. */
export const timeMsMax = 253_402_300_799_999;
const idLengthMax = 20;
const claimLengthMax = 64;
/** Below the time that listener filters wait for the first octets. */
const silentMs = 900;

/**
 * @returns undefined for one that no counter counts which is looked at, and for what is of no port of ours, or of no time that can be: if it
 * was counted, it is lost
 */
export function loggedConnection(entry: AccessLogEntry): LoggedConnection | undefined {
  const { isEnd, chain, port, beganMs, lastedMs, userAgent } = entry;
  const ofEntry = classOf(entry);
  const isTime = beganMs > 0 && lastedMs >= 0 && beganMs + lastedMs <= timeMsMax;
  if (ofEntry === undefined || !isTime || !isPort(port)) return undefined;
  const { kind, isRefused, isCall } = ofEntry;
  const seen: SeenConnections = {
    port,
    kind,
    isRefused,
    source: sourceOf(entry, ofEntry),
    firstMs: beganMs,
    lastMs: beganMs + lastedMs,
    count: 1,
    claim: userAgent.slice(0, claimLengthMax),
  };
  const id = entry.id === "0" || entry.id.length > idLengthMax ? "" : entry.id;
  return { id, chain, seen, isCall, isEnd };
}

export function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}

function classOf(entry: AccessLogEntry): Class | undefined {
  const { chain } = entry;
  if (chain === "") return classWithoutChain(entry);
  const kind = kinds.get(chain);
  if (kind === undefined) return undefined;
  if (kind === "plaintext" || kind === "passthrough") return call(kind, false);
  const { hasProven, hasTlsError } = entry;
  if (chain === canaryChain) return { kind, isRefused: !hasProven, isCall: false };
  // Without ALPN of the mesh, a certificate of the mesh makes the difference.
  if (hasProven) return call("mtls", false);
  return { kind, isRefused: true, isCall: hasTlsError };
}

function classWithoutChain({
  hasNoRoute,
  hasServerName,
  hasTlsError,
  lastedMs,
}: AccessLogEntry): Class | undefined {
  if (!hasNoRoute) return undefined;
  if (hasServerName) return call("passthrough", true);
  // No TLS, by the word of who looks for it; or nothing at all for as long as it is waited for.
  if (hasTlsError || lastedMs >= silentMs) return call("plaintext", true);
  return call("passthrough", true);
}

function call(kind: ConnectionKind, isRefused: boolean): Class {
  return { kind, isRefused, isCall: true };
}

/** By chain, of who has not proven who he is. */
const kinds: ReadonlyMap<string, ConnectionKind> = new Map<
  ChainName | typeof canaryChain,
  ConnectionKind
>([
  ["mtls-http", "mtls"],
  ["mtls-tcp", "mtls"],
  ["mtls-any", "tls"],
  ["plaintext-http", "plaintext"],
  ["plaintext-tcp", "plaintext"],
  ["passthrough", "passthrough"],
  [canaryChain, "mtls"],
]);

const others: Source = { kind: "others" };

function sourceOf({ address, peerUri }: AccessLogEntry, { kind, isRefused }: Class): Source {
  if (kind === "mtls" && !isRefused) {
    const spiffeId = spiffeIdOf(peerUri);
    if (spiffeId !== undefined) return { kind: "identity", spiffeId };
  }
  const canonical = canonicalIp(address);
  return canonical === undefined ? others : { kind: "address", address: canonical };
}

/** Few callers make most of the calls. */
const knownMax = 1_024;
const known = new Map<string, string>();

function spiffeIdOf(uri: string): string | undefined {
  const there = known.get(uri);
  if (there !== undefined) return there;
  try {
    const spiffeId = SpiffeId.parse(uri).toString();
    if (known.size >= knownMax) known.clear();
    known.set(uri, spiffeId);
    return spiffeId;
  } catch (error) {
    if (!(error instanceof SpiffeIdError)) throw error;
    return undefined;
  }
}
