/** Certificates of any depth and fault, written by @peculiar/x509: chains that no CA of ours makes. */

import { webcrypto } from "node:crypto";
import "reflect-metadata";
import {
  BasicConstraintsExtension,
  Extension,
  KeyUsagesExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { Extension as ExtensionValue } from "../../src/core/x509/certificate.ts";
import { KeyUsage } from "../../src/core/x509/profile.ts";

export interface IssuedNode {
  readonly name: string;
  readonly der: Uint8Array;
  readonly keys: webcrypto.CryptoKeyPair;
}

export interface NodeOptions {
  readonly ca?: boolean;
  readonly pathLength?: number;
  /** Bit n is `1 << n`; 0 leaves the extension out. */
  readonly keyUsage?: number;
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  readonly extensions?: readonly ExtensionValue[];
  readonly keys?: webcrypto.CryptoKeyPair;
}

/** 2026-11-24T12:00:00Z; what has no dates of its own is valid for an hour around it. */
export const CHAIN_NOW_MS: number = Date.UTC(2026, 10, 24, 12);
const hourMs = 3_600_000;
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
let serial = 1;

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

/** @param issuer undefined for one that signs itself */
export async function issue(
  issuer: IssuedNode | undefined,
  name: string,
  options: NodeOptions = {},
): Promise<IssuedNode> {
  const { ca = true, pathLength, notBeforeMs, notAfterMs } = options;
  const keys = options.keys ?? (await newKeys());
  const usage = options.keyUsage ?? 1 << (ca ? KeyUsage.keyCertSign : KeyUsage.digitalSignature);
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: (serial++).toString(16).padStart(4, "0"),
      subject: [{ CN: [name] }],
      issuer: [{ CN: [issuer?.name ?? name] }],
      notBefore: new Date(notBeforeMs ?? CHAIN_NOW_MS - hourMs),
      notAfter: new Date(notAfterMs ?? CHAIN_NOW_MS + hourMs),
      publicKey: keys.publicKey,
      signingKey: (issuer?.keys ?? keys).privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        new BasicConstraintsExtension(ca, pathLength, true),
        ...(usage === 0 ? [] : [new KeyUsagesExtension(usage, true)]),
        ...(options.extensions ?? []).map(
          ({ oid, critical, value }) => new Extension(oid, critical, Uint8Array.from(value)),
        ),
      ],
    },
    webcrypto,
  );
  return { name, der: new Uint8Array(certificate.rawData), keys };
}
