/** Entries of a simulated Envoy's access log, by what Envoy was seen to write of each connection. */

import type { AccessLogEntry } from "../../src/app/agent/connections/access-log-entry.ts";
import type { InboundChain } from "../../src/core/envoy/inbound-chains.ts";
import type { Call } from "./call.ts";

export interface Logged {
  readonly id: number;
  readonly chain: InboundChain;
  /** The caller has proven who he is. */
  readonly isProven: boolean;
  readonly beganMs: number;
}

export function beginEntry(call: Call, { id, chain, beganMs }: Logged): AccessLogEntry {
  const named = { id: String(id), chain: chain.name, beganMs };
  return { ...bareEntry(call), ...named, isEnd: false };
}

export function endEntry(call: Call, logged: Logged, nowMs: number): AccessLogEntry {
  const { id, chain, isProven: hasProven, beganMs } = logged;
  return {
    ...bareEntry(call),
    id: String(id),
    chain: chain.name,
    beganMs,
    lastedMs: nowMs - beganMs,
    hasProven,
    hasTlsError: chain.endsTls && !hasProven,
    peerUri: chain.endsTls ? call.peerUri : "",
  };
}

/** No chain was for it. */
export function refusedEntry(call: Call, nowMs: number): AccessLogEntry {
  return { ...bareEntry(call), id: "0", beganMs: nowMs, hasNoRoute: true };
}

function bareEntry({ port, address, kind, claim }: Call): AccessLogEntry {
  return {
    isEnd: true,
    port,
    address,
    beganMs: 0,
    lastedMs: 0,
    chain: "",
    id: "",
    hasProven: false,
    hasNoRoute: false,
    hasTlsError: kind === "plaintext",
    hasServerName: kind === "tls",
    peerUri: "",
    userAgent: claim,
  };
}
