/**
 * Which refusals an operator must see at the pod, and in which words. The table is the whole of what is ever said: nothing that a caller
 * has sent and no reason of ours that says more than its code gets into an object that others in the namespace may read. A token for another
 * audience is not among them: somebody else was given it, and could have us write at the pod.
 */

export interface RefusalNote {
  /** CamelCase, of the event. */
  readonly reason: string;
  readonly note: string;
}

const look = "the server's log says more under this reason";

const notes: ReadonlyMap<string, RefusalNote> = new Map([
  entry("identity-denied", "IdentityDenied", "an operator has denied its identity"),
  entry("certificate-denied", "CertificateDenied", "an operator has denied its certificate"),
  entry("token-revoked", "TokenRevoked", "what its token is bound to is gone"),
  entry("token-unbound", "TokenUnbound", "its token is bound to nothing that could end it"),
  entry("token-address", "AddressMismatch", "its token came from another address than its pod's"),
  entry("token-expired", "TokenExpired", "its token has expired"),
  entry("token-lifetime", "TokenLifetime", "its token is good for longer than is allowed"),
  entry("renewal-revoked", "RenewalRevoked", "its service account does not exist"),
  entry("renewal-over", "RenewalOver", "its chain of renewals has come to its end"),
  entry("rate-limited", "RateLimited", "it asks too often"),
  entry(
    "impersonation-refused",
    "ImpersonationRefused",
    "it asked for an identity not on its node",
  ),
  entry("ttl-too-long", "LifetimeTooLong", "it asked for a certificate longer than is allowed"),
]);

/** @param code of the error. @returns undefined for what is no operator's business */
export function refusalNote(code: string): RefusalNote | undefined {
  return notes.get(code);
}

function entry(code: string, reason: string, why: string): readonly [string, RefusalNote] {
  return [code, { reason, note: `no certificate was issued: ${why} (${code}; ${look})` }];
}
