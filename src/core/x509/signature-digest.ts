/**
 * The signature algorithms that we accept on what others signed, with their digests (RFC 5758 3.2, RFC 4055 5). SHA-1
 * and MD5 are not among them: a certificate with such a signature can be forged.
 */

import { DerReader } from "./der.ts";
import { OID } from "./oid.ts";
import { readAlgorithmIdentifier } from "./pkix.ts";

const digests: ReadonlyMap<string, string> = new Map([
  [OID.ecdsaSha256, "sha256"],
  [OID.ecdsaSha384, "sha384"],
  [OID.ecdsaSha512, "sha512"],
  [OID.rsaSha256, "sha256"],
  [OID.rsaSha384, "sha384"],
  [OID.rsaSha512, "sha512"],
]);

export interface KnownAlgorithm {
  readonly oid: string;
  /** Undefined for an algorithm that is not accepted. */
  readonly digest: string | undefined;
}

/** @param algorithmDer an AlgorithmIdentifier that was read before */
export function signatureDigest(algorithmDer: Uint8Array): KnownAlgorithm {
  const { oid } = readAlgorithmIdentifier(DerReader.over(algorithmDer));
  return { oid, digest: digests.get(oid) };
}
