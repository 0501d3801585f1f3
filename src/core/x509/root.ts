/**
 * Makes a self-signed root: the cold path, so @peculiar/x509 writes it. The caller stores key and certificate together
 * or not at all.
 */

import type { webcrypto } from "node:crypto";
import { Crypto } from "@peculiar/webcrypto";
import "reflect-metadata";
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { parseCertificate } from "./certificate.ts";
import { lintCa } from "./lint/ca.ts";
import { keyIdOf } from "./signer.ts";
import { rootProfile } from "./profile.ts";

export type RootKeyType = "p256" | "p384" | "rsa3072" | "rsa4096";

export interface NewRoot {
  readonly certificate: Uint8Array;
  readonly privateKeyPkcs8: Uint8Array;
}

export interface NewRootOptions {
  readonly trustDomain: string;
  readonly keyType: RootKeyType;
  /** 16 random octets. */
  readonly serial: Uint8Array;
  readonly nowMs: number;
}

export async function createRoot(options: NewRootOptions): Promise<NewRoot> {
  const crypto = new Crypto();
  const algorithm = algorithms[options.keyType];
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", keys.publicKey));
  const keyId = keyIdOf(spki);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: Buffer.from(positive(options.serial)).toString("hex"),
      // A subject of its own for each authority: verifiers look issuers up by name, and a rotation has two.
      name: [
        { O: [options.trustDomain.slice(0, organizationLengthMax)] },
        { CN: [`Portcullis root ${keyId.slice(0, 16)}`] },
      ],
      notBefore: new Date(options.nowMs - rootProfile.backdateSeconds * 1_000),
      notAfter: new Date(options.nowMs + rootProfile.lifetimeSeconds * 1_000),
      keys,
      signingAlgorithm: algorithm,
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        new SubjectKeyIdentifierExtension(keyId),
      ],
    },
    crypto,
  );
  // It signs itself, so this comes late; but nothing has trusted it yet.
  const verdict = lintCa(parseCertificate(new Uint8Array(certificate.rawData)).tbs);
  if (verdict.kind === "failed") {
    throw new Error(`the new root fails ${verdict.rule.name} (${verdict.rule.source})`);
  }
  const privateKeyPkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    certificate: new Uint8Array(certificate.rawData),
    privateKeyPkcs8: new Uint8Array(privateKeyPkcs8),
  };
}

/** X.520's upper bound; a trust domain may be longer. */
const organizationLengthMax = 64;

const publicExponent = Uint8Array.of(1, 0, 1);

const algorithms: Readonly<
  Record<RootKeyType, webcrypto.EcKeyGenParams | webcrypto.RsaHashedKeyGenParams>
> = {
  p256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  p384: { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" },
  rsa3072: { name: "RSASSA-PKCS1-v1_5", modulusLength: 3072, publicExponent, hash: "SHA-256" },
  rsa4096: { name: "RSASSA-PKCS1-v1_5", modulusLength: 4096, publicExponent, hash: "SHA-256" },
};

/** RFC 5280 4.1.2.2 wants a positive serial: the top bit is cleared and the next one set. */
function positive(serial: Uint8Array): Uint8Array {
  const out = Uint8Array.from(serial);
  out[0] = ((out[0] ?? 0) & 0x3f) | 0x40;
  return out;
}
