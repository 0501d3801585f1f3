/** Who is at the other end of a call, by its verified client certificate; never by anything it says. */

import { PortcullisError } from "../../core/error.ts";
import { isCanaryId } from "../../core/identity/canary-id.ts";
import { SpiffeId } from "../../core/spiffe/id.ts";
import { parseCertificate } from "../../core/x509/certificate.ts";
import { KeyUsage } from "../../core/x509/profile.ts";

export type PeerErrorCode =
  | "peer-certificate-missing"
  | "peer-certificate-invalid"
  /** Its root was taken away since the connection began. */
  | "peer-distrusted";

export class PeerError extends PortcullisError<PeerErrorCode> {
  override name = "PeerError";
}

export interface Peer {
  readonly id: SpiffeId;
  readonly serialHex: string;
  readonly notAfterMs: number;
  /** That has verified it when the connection began (DER); undefined where that was not asked. */
  readonly root: Uint8Array | undefined;
}

/** As `TlsListener` has verified it; DER. */
export interface VerifiedCertificate {
  readonly raw: Uint8Array;
  readonly root: Uint8Array;
}

/** What `getAuthContext` of a call gives; grpc-js does not export the type. */
export interface AuthContext {
  readonly sslPeerCertificate?: Partial<VerifiedCertificate>;
}

/** Undefined for a call without a certificate. @throws PeerError, SpiffeIdError for one that is no SVID */
export function findPeer(context: AuthContext): Peer | undefined {
  return context.sslPeerCertificate?.raw === undefined ? undefined : authenticatedPeer(context);
}

/**
 * TlsListener has let nobody through whose certificate does not chain to a trusted root; what is left to check is that
 * it is an X509-SVID leaf (X509-SVID 5.2), and not one that is there to try listeners. The name is read from the DER: Node's own SAN string has been forged before
 * (CVE-2021-44532).
 */
export function authenticatedPeer(context: AuthContext): Peer {
  const { raw: der, root } = context.sslPeerCertificate ?? {};
  if (der === undefined) {
    throw new PeerError("peer-certificate-missing", "expected a client certificate, got none");
  }
  const { uris, isCa, keyUsage, serialHex, notAfterMs } = parseCertificate(der);
  const signs = (keyUsage & ((1 << KeyUsage.keyCertSign) | (1 << KeyUsage.cRLSign))) !== 0;
  const [uri, ...others] = uris;
  if (uri === undefined || others.length > 0 || isCa || signs) {
    throw new PeerError("peer-certificate-invalid", "expected a leaf with exactly one URI SAN");
  }
  const id = SpiffeId.parse(uri);
  if (id.path === "") {
    throw new PeerError("peer-certificate-invalid", "expected a SPIFFE ID with a path");
  }
  if (isCanaryId(id)) {
    throw new PeerError(
      "peer-certificate-invalid",
      "expected a caller's certificate, got a canary",
    );
  }
  return { id, serialHex, notAfterMs, root };
}
