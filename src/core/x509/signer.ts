/**
 * The one interface to a CA's private key. A software key stands behind it here; a PKCS#11 token or a KMS can.
 */

import { createPublicKey, hash, sign, type KeyObject } from "node:crypto";
import { PortcullisError } from "../error.ts";
import { oid, sequence } from "./der-encode.ts";
import { parsePublicKey, type PublicKey } from "./public-key.ts";

export interface SignatureAlgorithm {
  /** The DER AlgorithmIdentifier that certificates carry. */
  readonly identifier: Uint8Array;
  readonly digest: "sha256" | "sha384";
}

export interface Signer {
  /** As `keyIdOf` makes it. */
  readonly id: string;
  readonly publicKey: PublicKey;
  readonly algorithm: SignatureAlgorithm;
  sign(bytes: Uint8Array): Uint8Array;
}

const derNull = Uint8Array.of(0x05, 0x00);

const algorithms: Readonly<Record<PublicKey["type"], SignatureAlgorithm>> = {
  // RFC 5758 3.2: ECDSA identifiers have no parameters. RFC 4055 5: RSA's must be NULL.
  "ec-p256": { identifier: sequence(oid("1.2.840.10045.4.3.2")), digest: "sha256" },
  "ec-p384": { identifier: sequence(oid("1.2.840.10045.4.3.3")), digest: "sha384" },
  rsa: { identifier: sequence(oid("1.2.840.113549.1.1.11"), derNull), digest: "sha256" },
};

export class SignerError extends PortcullisError<"signer-key-mismatch"> {
  override name = "SignerError";
}

/**
 * A signer on a key that this process holds. Printing it shows the id only.
 * @throws SignerError before anything is signed that nobody could verify; PublicKeyError
 */
export function softwareSigner(privateKey: KeyObject, publicSpki: Uint8Array): Signer {
  const ownSpki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  if (Buffer.compare(ownSpki, publicSpki) !== 0) {
    throw new SignerError("signer-key-mismatch", "expected the private key of the certificate", {
      hint: "restore the signing key that belongs to the CA certificate",
    });
  }
  const publicKey = parsePublicKey(publicSpki);
  const algorithm = signatureAlgorithmOf(publicKey);
  return Object.freeze({
    id: keyIdOf(publicSpki),
    publicKey,
    algorithm,
    sign: (bytes: Uint8Array) => sign(algorithm.digest, bytes, privateKey),
  });
}

/** What every signer of this key signs with, wherever the key is. */
export function signatureAlgorithmOf({ type }: PublicKey): SignatureAlgorithm {
  return algorithms[type];
}

/** The identifier of a key in lower-case hex, whatever its certificate says. @param spki SubjectPublicKeyInfo, DER */
export function keyIdOf(spki: Uint8Array): string {
  return Buffer.from(subjectKeyIdentifier(spki)).toString("hex");
}

/** SHA-256 over the whole SubjectPublicKeyInfo (RFC 7093 2, method 4), cut to the usual 160 bits. */
export function subjectKeyIdentifier(spki: Uint8Array): Uint8Array {
  return hash("sha256", spki, "buffer").subarray(0, 20);
}
