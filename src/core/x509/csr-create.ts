/**
 * An agent's own CSR (PKCS #10, RFC 2986): a new P-256 key, and nothing in the request but its proof. A node agent makes one
 * for each workload, so it is written by our encoder, and the key is made off the main thread.
 */

import { generateKeyPair, type KeyObject } from "node:crypto";
import { bitString, explicit, sequence, unsignedInteger } from "./der-encode.ts";
import { encodePem } from "./pem.ts";
import { softwareSigner } from "./signer.ts";

export interface NewCsr {
  readonly csrPem: string;
  readonly privateKeyPkcs8: Uint8Array;
  readonly spki: Uint8Array;
}

/** A server of ours takes nothing from the subject or the attributes, so there are none. */
export async function createCsr(): Promise<NewCsr> {
  const { privateKey, publicKey } = await generateKeys();
  const spki = exported(publicKey, "spki");
  const signer = softwareSigner(privateKey, spki);
  const version = unsignedInteger(Uint8Array.of(0));
  const info = sequence(version, sequence(), spki, explicit(0));
  const csr = sequence(info, signer.algorithm.identifier, bitString(signer.sign(info)));
  const csrPem = encodePem(csr, "CERTIFICATE REQUEST");
  return { csrPem, privateKeyPkcs8: exported(privateKey, "pkcs8"), spki };
}

function generateKeys(): Promise<{
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}> {
  return new Promise((resolve, reject) => {
    generateKeyPair("ec", { namedCurve: "P-256" }, (error, publicKey, privateKey) => {
      if (error === null) resolve({ privateKey, publicKey });
      else reject(error);
    });
  });
}

function exported(key: KeyObject, type: "pkcs8" | "spki"): Uint8Array {
  return new Uint8Array(key.export({ format: "der", type }));
}
