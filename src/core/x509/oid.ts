/**
 * The object identifiers that the readers know, in dotted form, and names for those that they
 * refuse.
 */

export const OID = {
  // RFC 5480 2.1, RFC 3279 2.3.1
  ecPublicKey: "1.2.840.10045.2.1",
  rsaEncryption: "1.2.840.113549.1.1.1",
  curveP256: "1.2.840.10045.3.1.7",
  curveP384: "1.3.132.0.34",
  // RFC 5758 3.2, RFC 4055 5
  ecdsaSha256: "1.2.840.10045.4.3.2",
  ecdsaSha384: "1.2.840.10045.4.3.3",
  ecdsaSha512: "1.2.840.10045.4.3.4",
  rsaSha256: "1.2.840.113549.1.1.11",
  rsaSha384: "1.2.840.113549.1.1.12",
  rsaSha512: "1.2.840.113549.1.1.13",
  // RFC 5280 4.2.1
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
} as const;

const NAMES: ReadonlyMap<string, string> = new Map([
  [OID.ecPublicKey, "EC"],
  [OID.rsaEncryption, "RSA"],
  [OID.curveP256, "P-256"],
  [OID.curveP384, "P-384"],
  [OID.ecdsaSha256, "ECDSA with SHA-256"],
  [OID.ecdsaSha384, "ECDSA with SHA-384"],
  [OID.ecdsaSha512, "ECDSA with SHA-512"],
  [OID.rsaSha256, "RSA with SHA-256"],
  [OID.rsaSha384, "RSA with SHA-384"],
  [OID.rsaSha512, "RSA with SHA-512"],
  ["1.2.840.10040.4.1", "DSA"],
  ["1.2.840.113549.1.1.10", "RSASSA-PSS"],
  ["1.3.101.110", "X25519"],
  ["1.3.101.111", "X448"],
  ["1.3.101.112", "Ed25519"],
  ["1.3.101.113", "Ed448"],
  ["1.2.840.10045.3.1.1", "P-192"],
  ["1.3.132.0.33", "P-224"],
  ["1.3.132.0.35", "P-521"],
  ["1.3.132.0.10", "secp256k1"],
  ["1.2.840.113549.1.1.4", "RSA with MD5"],
  ["1.2.840.113549.1.1.5", "RSA with SHA-1"],
  ["1.2.840.113549.1.1.14", "RSA with SHA-224"],
  ["1.2.840.10045.4.1", "ECDSA with SHA-1"],
  ["1.2.840.10045.4.3.1", "ECDSA with SHA-224"],
]);

/** For messages: `P-224 (1.3.132.0.33)`, or the dotted form alone. */
export function describeOid(oid: string): string {
  const name = NAMES.get(oid);
  return name === undefined ? oid : `${name} (${oid})`;
}
