/**
 * Certification requests (PKCS #10, RFC 2986). A CSR tells us two things: a public key, and that
 * the caller holds its private half. Subject and attributes are checked for shape and never
 * interpreted: who the caller is comes from its credentials, so nothing that it writes here can
 * widen its certificate.
 */

import { verify } from "node:crypto";

import { PortcullisError } from "../error.ts";
import { DerReader } from "./der.ts";
import { constructedContextTag, TAG } from "./der-tag.ts";
import { describeOid, OID } from "./oid.ts";
import { readAlgorithmIdentifier, readName } from "./pkix.ts";
import { parsePublicKey } from "./public-key.ts";
import type { PublicKey } from "./public-key.ts";

export type CsrErrorCode =
  | "csr-too-large"
  | "csr-version-unsupported"
  | "csr-attributes-missing"
  | "csr-signature-invalid"
  | "csr-signature-algorithm-unsupported"
  | "csr-signature-algorithm-mismatch"
  | "csr-key-unusable";

export class CsrError extends PortcullisError<CsrErrorCode> {
  override name = "CsrError";
}

export type CsrSignatureAlgorithm =
  | "ecdsa-sha256"
  | "ecdsa-sha384"
  | "ecdsa-sha512"
  | "rsa-sha256"
  | "rsa-sha384"
  | "rsa-sha512";

export interface Csr {
  readonly publicKey: PublicKey;
  /** CertificationRequestInfo, over which the signature is. */
  readonly tbs: Uint8Array;
  readonly signatureAlgorithm: CsrSignatureAlgorithm;
  /** DER for ECDSA (RFC 3279 2.2.3), the number itself for RSA. */
  readonly signature: Uint8Array;
}

/** A CSR with an RSA key of 8192 bits and a long subject needs 3 KiB. */
export const CSR_BYTES_MAX: number = 16 * 1024;

const ATTRIBUTES = constructedContextTag(0);

const SIGNATURE_ALGORITHMS: ReadonlyMap<string, CsrSignatureAlgorithm> = new Map([
  [OID.ecdsaSha256, "ecdsa-sha256"],
  [OID.ecdsaSha384, "ecdsa-sha384"],
  [OID.ecdsaSha512, "ecdsa-sha512"],
  [OID.rsaSha256, "rsa-sha256"],
  [OID.rsaSha384, "rsa-sha384"],
  [OID.rsaSha512, "rsa-sha512"],
]);

const HASHES = {
  "ecdsa-sha256": "sha256",
  "ecdsa-sha384": "sha384",
  "ecdsa-sha512": "sha512",
  "rsa-sha256": "sha256",
  "rsa-sha384": "sha384",
  "rsa-sha512": "sha512",
} as const satisfies Record<CsrSignatureAlgorithm, string>;

/**
 * Reads a CSR and refuses a key that we would not certify. The signature is not verified here,
 * because that costs twenty times as much: see `verifyCsrSignature`.
 *
 * @throws CsrError, PublicKeyError, DerError
 */
export function parseCsr(der: Uint8Array): Csr {
  if (der.length > CSR_BYTES_MAX) {
    throw new CsrError(
      "csr-too-large",
      `expected a CSR of at most ${CSR_BYTES_MAX} bytes, got ${der.length}`,
    );
  }
  const request = DerReader.within(der, TAG.sequence);
  const start = request.position;
  const publicKey = readRequestInfo(request.enter(TAG.sequence));
  const tbs = request.since(start);
  const signatureAlgorithm = readSignatureAlgorithm(request, publicKey);
  const signature = request.readOctetAlignedBitString();
  request.expectEnd();
  return Object.freeze({ publicKey, tbs, signatureAlgorithm, signature });
}

/**
 * Whether the holder of the CSR's private key made its signature.
 *
 * @throws CsrError where OpenSSL cannot even load a key that `parsePublicKey` accepted
 */
export function verifyCsrSignature(csr: Csr): boolean {
  const key = { key: csr.publicKey.spki, format: "der", type: "spki" } as const;
  try {
    return verify(HASHES[csr.signatureAlgorithm], csr.tbs, key, csr.signature);
  } catch (cause) {
    throw new CsrError("csr-key-unusable", "expected a public key that OpenSSL loads", { cause });
  }
}

/** RFC 2986 4.1. */
function readRequestInfo(info: DerReader): PublicKey {
  const version = info.readInteger();
  if (version.length !== 1 || version[0] !== 0) {
    throw new CsrError("csr-version-unsupported", "expected CSR version 0 (RFC 2986 4.1)");
  }
  readName(info);
  const start = info.position;
  info.enter(TAG.sequence);
  const publicKey = parsePublicKey(info.since(start));
  if (!info.nextIs(ATTRIBUTES)) {
    throw new CsrError(
      "csr-attributes-missing",
      "expected attributes in a CSR, if only empty ones",
    );
  }
  skipAttributes(info.enter(ATTRIBUTES));
  info.expectEnd();
  return publicKey;
}

function skipAttributes(attributes: DerReader): void {
  while (!attributes.atEnd) {
    const attribute = attributes.enter(TAG.sequence);
    attribute.readOid();
    const values = attribute.enter(TAG.set);
    attribute.expectEnd();
    do values.skip();
    while (!values.atEnd);
  }
}

function readSignatureAlgorithm(request: DerReader, publicKey: PublicKey): CsrSignatureAlgorithm {
  const { oid, parameters } = readAlgorithmIdentifier(request);
  const algorithm = SIGNATURE_ALGORITHMS.get(oid);
  if (algorithm === undefined) {
    throw new CsrError(
      "csr-signature-algorithm-unsupported",
      `expected ECDSA or RSA with SHA-256, SHA-384 or SHA-512, got ${describeOid(oid)}`,
    );
  }
  const isRsa = algorithm.startsWith("rsa-");
  if (isRsa !== (publicKey.type === "rsa")) {
    throw new CsrError(
      "csr-signature-algorithm-mismatch",
      `expected a signature by a key of type ${publicKey.type}, got ${describeOid(oid)}`,
    );
  }
  // RFC 5758 3.2: absent for ECDSA. RFC 4055 5: NULL for RSA, and absent must be accepted.
  if (isRsa && !parameters.atEnd) parameters.readNull();
  parameters.expectEnd();
  return algorithm;
}
