/** An agent's own CSR: a new P-256 key, and nothing in the request but its proof. The cold path: @peculiar/x509 writes it. */

import { Crypto } from "@peculiar/webcrypto";
import "reflect-metadata";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";

export interface NewCsr {
  readonly csrPem: string;
  readonly privateKeyPkcs8: Uint8Array;
  readonly spki: Uint8Array;
}

/** A server of ours takes nothing from the subject or the attributes, so there are none. */
export async function createCsr(): Promise<NewCsr> {
  const crypto = new Crypto();
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const csr = await Pkcs10CertificateRequestGenerator.create(
    { keys, signingAlgorithm: algorithm },
    crypto,
  );
  return {
    csrPem: `${csr.toString("pem")}\n`,
    privateKeyPkcs8: new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey)),
    spki: new Uint8Array(await crypto.subtle.exportKey("spki", keys.publicKey)),
  };
}
