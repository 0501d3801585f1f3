/** Who gets through an inbound port in each mode: what the caller sees, and what reaches the application. */

import assert from "node:assert/strict";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import type { Seen } from "./watching-app.ts";

export const modes: readonly ServerMode[] = ["disable", "permissive", "strict"];
export const protocols = ["tcp", "http", "auto"] as const;
export const callers = ["plaintext", "mTLS", "TLS", "stranger", "expired", "other domain"] as const;
export type Protocol = (typeof protocols)[number];
export type Caller = (typeof callers)[number];

export interface PortKind {
  readonly protocol: Protocol;
  readonly mode: ServerMode;
}

/** What the caller reads, how his connection broke otherwise, and what the application saw. */
interface Outcome {
  readonly reads: RegExp;
  readonly breaks?: string;
  readonly appSees: Seen | "nothing";
  /** Of the caller's Envoy; one, where it is not said. */
  readonly tries?: number;
}

const answered = { reads: /pong$/, appSees: "plaintext" } as const;
/** TLS went through to the application, which ended it. */
const passed = { reads: /pong$/, appSees: "tls" } as const;
/** TLS went through, and the caller's Envoy did not take the application's certificate. */
const distrusted = { reads: /^$/, breaks: "ECONNRESET", appSees: "tls" } as const;
/** No answer, and no connection to the application. */
const refused = (breaks: string): Outcome => ({ reads: /^$/, breaks, appSees: "nothing" });
const noChain = refused("ECONNRESET");
const noCertificate = refused("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED");
const unknownCa = refused("ERR_SSL_TLSV1_ALERT_UNKNOWN_CA");
const isExpired = refused("ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED");
const notOurs = refused("ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_UNKNOWN");
/** By the caller's own Envoy. */
const unavailable: Outcome = { reads: /^HTTP\/1\.1 503 /, appSees: "nothing" };

/** By disable, permissive, strict. */
const expected: Readonly<Record<Protocol, Record<Caller, readonly [Outcome, Outcome, Outcome]>>> = {
  tcp: {
    plaintext: [answered, answered, noChain],
    mTLS: [distrusted, answered, answered],
    TLS: [passed, passed, noCertificate],
    stranger: [passed, unknownCa, unknownCa],
    expired: [passed, isExpired, isExpired],
    "other domain": [passed, notOurs, notOurs],
  },
  http: {
    plaintext: [answered, answered, noChain],
    mTLS: [unavailable, answered, answered],
    TLS: [noChain, noChain, noCertificate],
    stranger: [noChain, unknownCa, unknownCa],
    expired: [noChain, isExpired, isExpired],
    "other domain": [noChain, notOurs, notOurs],
  },
  auto: {
    plaintext: [answered, answered, noChain],
    mTLS: [{ ...unavailable, appSees: "tls", tries: 3 }, answered, answered],
    TLS: [passed, passed, noCertificate],
    stranger: [passed, unknownCa, unknownCa],
    expired: [passed, isExpired, isExpired],
    "other domain": [passed, notOurs, notOurs],
  },
};

export function connections({ appSees, tries = 1 }: Outcome): readonly Seen[] {
  return appSees === "nothing" ? [] : Array.from({ length: tries }, () => appSees);
}

/** HTTP where it can be: octets on a port without a protocol are in who-called.test.ts. */
export function spoken(protocol: Protocol): "tcp" | "http" {
  return protocol === "tcp" ? "tcp" : "http";
}

export function outcomeOf({ protocol, mode }: PortKind, caller: Caller): Outcome {
  const outcome = expected[protocol][caller][modes.indexOf(mode)];
  assert(outcome);
  return outcome;
}
