/**
 * What the bundle endpoint shows of itself: a certificate of the web's PKI out of an operator's files (`https_web`), or
 * an X509-SVID of this trust domain (`https_spiffe`); SPIFFE Federation 5.2.
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { PortcullisError } from "../../core/error.ts";
import { SpiffeId, type TrustDomain } from "../../core/spiffe/id.ts";
import { encodeCertificates, parsePem } from "../../core/x509/pem.ts";
import { readBoundedFile } from "../../edge/config/private-files.ts";
import type { WebIdentity } from "../../edge/rpc/server-context.ts";

export type BundleCertificateErrorCode =
  | "bundle-certificate-invalid"
  | "bundle-key-invalid"
  | "bundle-key-mismatch";

export class BundleCertificateError extends PortcullisError<BundleCertificateErrorCode> {
  override name = "BundleCertificateError";
}

export interface BundleCertificate extends WebIdentity {
  readonly notAfterMs: number;
  /** Infinite where others renew it. */
  readonly renewAtMs: number;
  /** SHA-256 of the root of ours that it hangs on, in hex. */
  readonly root?: string;
}

export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

/** Reserved: no caller can be given it. Whoever federates with us names it as the endpoint's ID. */
export function bundleEndpointId(trustDomain: TrustDomain): SpiffeId {
  return SpiffeId.fromPath(trustDomain, "/portcullis/server");
}

/** @throws BundleCertificateError, PrivateFileError; each names the file */
export async function readWebCertificate(files: CertificateFiles): Promise<BundleCertificate> {
  const chain = await readChain(files.certificate);
  const [leaf] = chain;
  const privateKeyPem = Buffer.from(await readBoundedFile(files.key, fileBytesMax)).toString();
  if (leaf === undefined) throw new TypeError("a chain has a leaf");
  if (!leaf.checkPrivateKey(readKey(files.key, privateKeyPem))) {
    throw new BundleCertificateError(
      "bundle-key-mismatch",
      `${files.key}: expected the key of ${files.certificate}`,
      { hint: "is the leaf the first certificate of the file?" },
    );
  }
  return {
    certificateChain: encodeCertificates(chain.map(({ raw }) => raw)),
    privateKeyPem,
    notAfterMs: leaf.validToDate.getTime(),
    renewAtMs: Infinity,
  };
}

const fileBytesMax = 1_048_576;
const chainLengthMax = 16;

async function readChain(path: string): Promise<readonly X509Certificate[]> {
  const text = Buffer.from(await readBoundedFile(path, fileBytesMax)).toString();
  try {
    const ders = parsePem(text, "CERTIFICATE", { blocksMax: chainLengthMax });
    return ders.map((der) => new X509Certificate(der));
  } catch (cause) {
    const reason = cause instanceof PortcullisError ? cause.message : "expected X.509 certificates";
    throw new BundleCertificateError("bundle-certificate-invalid", `${path}: ${reason}`, { cause });
  }
}

function readKey(path: string, pem: string) {
  try {
    return createPrivateKey(pem);
  } catch {
    // OpenSSL's message says nothing of use, and no cause is kept that might hold a piece of the key.
    throw new BundleCertificateError(
      "bundle-key-invalid",
      `${path}: expected a private key in PEM, without a passphrase`,
    );
  }
}
