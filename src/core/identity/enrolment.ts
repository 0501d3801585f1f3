/**
 * Renewal by certificate: who joined with a token may come back with the certificate that it got,
 * and with the one that it got for that, until seven days after the token. A certificate proves
 * that its holder was believed once, and nothing about today: so the chain ends, and what was not
 * enrolled here cannot begin one.
 */

import type { SpiffeId } from "../spiffe/id.ts";
import { AuthnError } from "./authn-error.ts";
import type { Caller } from "./caller.ts";

/** A certificate that may be renewed. */
export interface Enrolment {
  readonly serialHex: string;
  readonly id: SpiffeId;
  /** Names the join token that the chain began with; every certificate of the chain inherits it. */
  readonly joinTokenId: string;
  /** When that token was used; inherited, too. */
  readonly enrolledAtMs: number;
  readonly notAfterMs: number;
}

/** A client certificate that TLS has verified when the connection began. */
export interface PeerCertificate {
  readonly id: SpiffeId;
  readonly serialHex: string;
  readonly notAfterMs: number;
}

/** @throws AuthnError `renewal-certificate-expired`, `renewal-not-enrolled`, `renewal-over` */
export function callerOfRenewal(
  peer: PeerCertificate,
  enrolment: Enrolment | undefined,
  nowMs: number,
): Caller {
  const { id, serialHex, notAfterMs } = peer;
  // The connection may be older than that. Written so that a clock that reads NaN refuses.
  if (!(nowMs < notAfterMs)) {
    const message = `certificate ${serialHex} expired at ${iso(notAfterMs)}`;
    throw new AuthnError("renewal-certificate-expired", message, { hint: JOIN_AGAIN });
  }
  if (enrolment === undefined || enrolment.serialHex !== serialHex || !enrolment.id.equals(id)) {
    const message = `certificate ${serialHex} of ${id.toString()} did not come of a join token`;
    throw new AuthnError("renewal-not-enrolled", message, {
      hint: "a workload of Kubernetes renews with its token",
    });
  }
  const { joinTokenId, enrolledAtMs } = enrolment;
  const endMs = enrolmentEndMs(enrolledAtMs);
  if (!(nowMs < endMs)) {
    const message = `${id.toString()} joined at ${iso(enrolledAtMs)}: its renewals are over`;
    throw new AuthnError("renewal-over", message, { hint: JOIN_AGAIN });
  }
  return Object.freeze({
    id,
    expiresAtMs: endMs,
    certificateNotAfterMs: endMs,
    evidence: Object.freeze({ method: "certificate", serialHex, joinTokenId, enrolledAtMs }),
  });
}

/**
 * @returns what the certificate that was issued to `caller` can renew; undefined for callers who
 * have something better than a certificate to come back with
 */
export function enrolmentOf(
  { id, evidence }: Caller,
  issued: { readonly serialHex: string; readonly notAfterMs: number },
): Enrolment | undefined {
  if (evidence.method !== "join-token" && evidence.method !== "certificate") return undefined;
  const { serialHex, notAfterMs } = issued;
  const { joinTokenId, enrolledAtMs } = evidence;
  return Object.freeze({ id, serialHex, notAfterMs, joinTokenId, enrolledAtMs });
}

export function enrolmentEndMs(enrolledAtMs: number): number {
  return enrolledAtMs + CHAIN_MS;
}

const CHAIN_MS = 7 * 86_400_000;
const JOIN_AGAIN = "make a new join token with portcullis join-token create";

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
