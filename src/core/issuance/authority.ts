/**
 * An authority that can sign: its key, its certificate read once, the layout of what it signs, and the tail of each
 * reply. Made anew when the trust state changes; never changed.
 */

import { createPublicKey, type KeyObject } from "node:crypto";
import type { TrustBundle } from "../spiffe/trust-bundle.ts";
import { parseCertificate, type Certificate } from "../x509/certificate.ts";
import { encodeCertificate, leafEncoder, type LeafEncoder } from "../x509/leaf-template.ts";
import { encodeCertificates, encodePem } from "../x509/pem.ts";
import { servingProfile, workloadProfile } from "../x509/profile.ts";
import type { Signer } from "../x509/signer.ts";

export interface Authority {
  readonly signer: Signer;
  readonly certificate: Certificate;
  /** The certificate's own key, not the signer's word for it. */
  readonly verificationKey: KeyObject;
  readonly encodeWorkload: LeafEncoder;
  readonly encodeServing: LeafEncoder;
  /** PEM of what follows the leaf in a reply: intermediates one by one, all roots as the last element. */
  readonly chainTail: readonly string[];
  /** Intermediates only, PEM: what a TLS server sends after its leaf. */
  readonly intermediates: readonly string[];
}

/** @param chain the signing certificate first, without the root; empty for a root that signs itself */
export function signingAuthority(
  signer: Signer,
  chain: readonly Uint8Array[],
  root: Uint8Array,
  bundle: TrustBundle,
): Authority {
  const certificate = parseCertificate(chain[0] ?? root);
  const intermediates = chain.map((der) => encodePem(der, "CERTIFICATE"));
  const roots = encodeCertificates(bundle.roots);
  return Object.freeze({
    signer,
    certificate,
    verificationKey: createPublicKey({
      key: Buffer.from(certificate.spki),
      format: "der",
      type: "spki",
    }),
    encodeWorkload: leafEncoder(workloadProfile, signer, certificate.subjectDer),
    encodeServing: leafEncoder(servingProfile, signer, certificate.subjectDer),
    chainTail: [...intermediates, roots],
    intermediates,
  });
}

export function signLeaf(authority: Authority, tbs: Uint8Array): Uint8Array {
  return encodeCertificate(tbs, authority.signer, authority.signer.sign(tbs));
}
