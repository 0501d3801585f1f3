/**
 * What each kind of certificate contains, as data. The identity and the public key come from elsewhere; nothing of a
 * CSR but its key ever reaches a certificate.
 */

/** Bits of the KeyUsage BIT STRING (RFC 5280 4.2.1.3). */
export const KeyUsage = {
  digitalSignature: 0,
  keyEncipherment: 2,
  keyCertSign: 5,
  cRLSign: 6,
} as const;

export const ExtendedKeyUsage = {
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

export interface LeafProfile {
  readonly name: "workload" | "serving" | "canary";
  /** The certificate is valid this long before it is made, for clocks that are behind. */
  readonly backdateSeconds: number;
  readonly keyUsage: { readonly ec: readonly number[]; readonly rsa: readonly number[] };
  readonly extendedKeyUsages: readonly string[];
}

/**
 * RFC 5480 3 gives keyEncipherment no meaning for an EC key; an RSA key needs it for TLS 1.2's RSA key exchange, as
 * X509-SVID 4.3 allows.
 */
const leafKeyUsage = {
  ec: [KeyUsage.digitalSignature],
  rsa: [KeyUsage.digitalSignature, KeyUsage.keyEncipherment],
};

/** An X509-SVID: one URI SAN, critical because the subject is empty (X509-SVID 3.1), both EKUs (4.4). */
export const workloadProfile: LeafProfile = Object.freeze({
  name: "workload",
  backdateSeconds: 120,
  keyUsage: leafKeyUsage,
  extendedKeyUsages: [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth],
});

/** The control plane's own TLS certificate: DNS names and addresses, and no right to be a client. */
export const servingProfile: LeafProfile = Object.freeze({
  name: "serving",
  backdateSeconds: 120,
  keyUsage: leafKeyUsage,
  extendedKeyUsages: [ExtendedKeyUsage.serverAuth],
});

/** To be shown to listeners before its authority signs anything else: never a server's, and of one identity that nobody has. */
export const canaryProfile: LeafProfile = Object.freeze({
  name: "canary",
  backdateSeconds: 120,
  keyUsage: leafKeyUsage,
  extendedKeyUsages: [ExtendedKeyUsage.clientAuth],
});

/** A self-signed root: ten years, and cRLSign so that it can revoke what it signed (RFC 5280 4.2.1.3). */
export const rootProfile: {
  readonly backdateSeconds: number;
  readonly lifetimeSeconds: number;
} = Object.freeze({
  backdateSeconds: 120,
  lifetimeSeconds: 10 * 365 * 86_400,
});
