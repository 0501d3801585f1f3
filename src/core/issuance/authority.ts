/**
 * An authority that can sign: its key, its certificate read once, the layout of what it signs, and the tail of each
 * reply. Made anew when the trust state changes; never changed.
 */

import { createPublicKey, type KeyObject } from "node:crypto";
import { rootSha256 } from "../spiffe/roots-digest.ts";
import { parseCertificate, type Certificate } from "../x509/certificate.ts";
import { encodeCertificate, leafEncoder, type LeafEncoder } from "../x509/leaf-template.ts";
import type { LintIssuer } from "../x509/lint/lint.ts";
import { encodeCertificates, encodePem } from "../x509/pem.ts";
import { canaryProfile, servingProfile, workloadProfile } from "../x509/profile.ts";
import { parsePublicKey } from "../x509/public-key.ts";
import { subjectKeyIdentifier, type Signer } from "../x509/signer.ts";

export interface Authority {
  readonly signer: Signer;
  readonly certificate: Certificate;
  /** As the log names the root. */
  readonly rootSha256: string;
  /** When the first certificate of its path expires: nothing that it signs is good for longer. */
  readonly notAfterMs: number;
  /** The certificate's own key, not the signer's word for it. */
  readonly verificationKey: KeyObject;
  /** What leaves are held against: of the certificate, and not of the signer. */
  readonly issuer: LintIssuer;
  readonly encodeWorkload: LeafEncoder;
  readonly encodeServing: LeafEncoder;
  readonly encodeCanary: LeafEncoder;
  /** PEM of what follows the leaf in a reply: intermediates one by one, all roots as the last element. */
  readonly chainTail: readonly string[];
  /** Intermediates only, PEM: what a TLS server sends after its leaf. */
  readonly intermediates: readonly string[];
}

/**
 * @param chain the signing certificate first, without the root; empty for a root that signs itself
 * @param roots all that are trusted, for the end of each reply
 */
export function signingAuthority(
  signer: Signer,
  chain: readonly Uint8Array[],
  root: Uint8Array,
  roots: readonly Uint8Array[],
): Authority {
  const path = [...chain, root].map(parseCertificate);
  const certificate = path[0] ?? parseCertificate(root);
  const intermediates = chain.map((der) => encodePem(der, "CERTIFICATE"));
  const { subjectDer, subjectKeyId, spki } = certificate;
  const notAfterMs = Math.min(...path.map((each) => each.notAfterMs));
  // An operator's CA may have any identifier, and may even have none (RFC 5280 4.2.1.1).
  const keyId = subjectKeyId ?? subjectKeyIdentifier(spki);
  const issuer = { subjectDer, keyId, keyType: parsePublicKey(spki).type, notAfterMs };
  const named = { name: subjectDer, keyId };
  return Object.freeze({
    signer,
    certificate,
    rootSha256: rootSha256(root),
    notAfterMs,
    verificationKey: createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" }),
    issuer,
    encodeWorkload: leafEncoder(workloadProfile, signer.algorithm, named),
    encodeServing: leafEncoder(servingProfile, signer.algorithm, named),
    encodeCanary: leafEncoder(canaryProfile, signer.algorithm, named),
    chainTail: [...intermediates, encodeCertificates(roots)],
    intermediates,
  });
}

/** As `IstioCertificateResponse.cert_chain` wants it. */
export function replyChain({ chainTail }: Authority, leaf: Uint8Array): readonly string[] {
  return [encodePem(leaf, "CERTIFICATE"), ...chainTail];
}

export function signLeaf(authority: Authority, tbs: Uint8Array): Uint8Array {
  return encodeCertificate(tbs, authority.signer, authority.signer.sign(tbs));
}
