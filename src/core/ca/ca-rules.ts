/**
 * What each certificate between the signing one and its root must be (RFC 5280 6.1, X509-SVID 4): what our agents,
 * Envoy or OpenSSL would refuse at a handshake is refused here, before anything is signed under it. Constraints on names
 * are not evaluated, so critical ones are refused.
 */

import { ExtendedKeyUsage, KeyUsage } from "../x509/profile.ts";
import { parsePublicKey } from "../x509/public-key.ts";
import { signatureDigest } from "../x509/signature-digest.ts";
import { PortcullisError } from "../error.ts";
import { describeOid, OID } from "../x509/oid.ts";
import { isInDate, isIssuedBy, formatSpan, type CaCertificate } from "./ca-certificate.ts";
import { CaFilesError } from "./ca-files-error.ts";
import type { CaPath } from "./ca-path.ts";

export const NAME_CONSTRAINTS = "2.5.29.30";

/** @throws CaFilesError */
export function assertPath({ chain, root }: CaPath, nowMs: number): void {
  for (const [below, each] of [...chain, root].entries()) {
    assertCa(each);
    assertPathLength(each, below);
    assertKey(each);
    assertPurpose(each);
    assertUnderstood(each);
    assertInDate(each, nowMs);
    // A root is trusted for being there: nobody needs the signature that it made over itself.
    if (each !== root) assertSignature(each);
  }
}

/** @throws CaFilesError for what cannot be a trust anchor, whether or not a path ends there */
export function assertRoot(root: CaCertificate): void {
  assertCa(root);
  if (isIssuedBy(root, root)) return;
  throw new CaFilesError(
    "ca-root-not-self-signed",
    root.file,
    `expected a root that signs itself, got ${root.description}`,
    { hint: "intermediates belong into cert-chain.pem" },
  );
}

function assertCa({ file, certificate, description }: CaCertificate): void {
  const lacks = [
    ...(certificate.isCa ? [] : ["basicConstraints CA:TRUE"]),
    ...((certificate.keyUsage & (1 << KeyUsage.keyCertSign)) === 0 ? ["keyUsage keyCertSign"] : []),
  ];
  if (lacks.length === 0) return;
  const reason = `expected a CA, but ${description} has no ${lacks.join(" and no ")}`;
  throw new CaFilesError("ca-not-a-ca", file, reason, {
    hint: "have it issued anew with both (X509-SVID 4.1, 4.3)",
  });
}

/** @param below intermediates between this one and a leaf (RFC 5280 4.2.1.9) */
function assertPathLength({ file, certificate, description }: CaCertificate, below: number): void {
  const { pathLength } = certificate;
  if (pathLength === undefined || below <= pathLength) return;
  throw new CaFilesError(
    "ca-path-length",
    file,
    `${description} allows ${pathLength} intermediates below it, got ${below}`,
  );
}

function assertKey({ file, certificate, description }: CaCertificate): void {
  try {
    parsePublicKey(certificate.spki);
  } catch (cause) {
    if (!(cause instanceof PortcullisError)) throw cause;
    throw new CaFilesError("ca-key-unsupported", file, `${description}: ${cause.message}`, {
      cause,
    });
  }
}

/** OpenSSL and BoringSSL hold a CA's extended key usage against what the leaf is used for. */
function assertPurpose({ file, certificate, description }: CaCertificate): void {
  const purposes = certificate.extendedKeyUsages;
  if (purposes.length === 0 || purposes.includes(ANY_PURPOSE)) return;
  const lacks = Object.entries(ExtendedKeyUsage).filter(([, oid]) => !purposes.includes(oid));
  if (lacks.length === 0) return;
  const names = lacks.map(([name]) => name).join(" and ");
  throw new CaFilesError(
    "ca-purpose",
    file,
    `the extended key usage of ${description} does not allow ${names}`,
    { hint: "have it issued without extendedKeyUsage" },
  );
}

const ANY_PURPOSE = "2.5.29.37.0";

/** RFC 5280 4.2: what is critical and not understood ends the path; agents refuse it, too. */
function assertUnderstood({ file, certificate, description }: CaCertificate): void {
  const foreign = certificate.extensions.find(({ oid, critical }) => {
    return critical && !UNDERSTOOD.has(oid);
  });
  if (foreign === undefined) return;
  const name = foreign.oid === NAME_CONSTRAINTS ? "name constraints" : foreign.oid;
  throw new CaFilesError(
    "ca-critical-extension",
    file,
    `${description} has the critical extension ${name}, which is not evaluated`,
    { hint: "have it issued without, or not critical" },
  );
}

const UNDERSTOOD: ReadonlySet<string> = new Set([
  OID.keyUsage,
  OID.subjectAltName,
  OID.basicConstraints,
  OID.extendedKeyUsage,
]);

function assertInDate(each: CaCertificate, nowMs: number): void {
  if (isInDate(each, nowMs)) return;
  const { file, certificate, description } = each;
  throw new CaFilesError(
    "ca-not-in-date",
    file,
    `${description} is valid from ${formatSpan(certificate)}`,
    { hint: nowMs < certificate.notBeforeMs ? "compare the clocks" : "have it issued anew" },
  );
}

function assertSignature({ file, certificate, description }: CaCertificate): void {
  const { oid, digest } = signatureDigest(certificate.signatureAlgorithmDer);
  if (digest !== undefined) return;
  throw new CaFilesError(
    "ca-signature-unsupported",
    file,
    `expected ECDSA or RSA with SHA-256, SHA-384 or SHA-512 on ${description}, got ${describeOid(oid)}`,
  );
}
