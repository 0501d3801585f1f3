/** Whether the log has a certificate as its owner has it: both entries in the tree, and everything in them the owner's. */

import { hash } from "node:crypto";
import { equalBytes } from "../bytes.ts";
import { parseCertificate } from "../x509/certificate.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { LogError } from "./log-error.ts";
import { openEntry, type ProvedEntry } from "./proved-entry.ts";

/** What an owner knows of its certificate, as the log would say it. */
export interface OwnLeaf {
  /** A SPIFFE ID. */
  readonly identity: string;
  /** Magnitude, without a leading zero octet. */
  readonly serial: Uint8Array;
  /** SHA-256 of the certificate, its TBSCertificate and its SubjectPublicKeyInfo. */
  readonly certificateDigest: Uint8Array;
  readonly tbsDigest: Uint8Array;
  readonly keyDigest: Uint8Array;
}

/** @param der of the certificate @throws CertificateError, DerError */
export function ownLeaf(identity: string, der: Uint8Array): OwnLeaf {
  const { serial, tbs, spki } = parseCertificate(der);
  return {
    identity,
    serial: serial[0] === 0 ? serial.subarray(1) : serial,
    certificateDigest: sha256(der),
    tbsDigest: sha256(tbs),
    keyDigest: sha256(spki),
  };
}

/** @throws LogError for what is not in the tree, or not this certificate's */
export function verifyOwnLeaf(
  leaf: OwnLeaf,
  proved: { readonly intent: ProvedEntry; readonly result: ProvedEntry },
  checkpoint: Checkpoint,
): void {
  const result = openEntry(proved.result, checkpoint);
  const intent = openEntry(proved.intent, checkpoint);
  if (result.kind !== "result" || result.outcome !== "signed") throw invalid("no signed result");
  if (intent.kind !== "intent" || intent.artifact !== "workload") throw invalid("no intent of it");
  const isPair =
    result.intentIndex === proved.intent.index && result.intentIndex < proved.result.index;
  if (!isPair) throw invalid("the intent of another result");
  if (intent.identity !== leaf.identity) throw invalid("another identity");
  for (const [what, logged, own] of [
    ["serial", result.serial, leaf.serial],
    ["serial", intent.serial, leaf.serial],
    ["certificate", result.certificateDigest, leaf.certificateDigest],
    ["content", intent.tbsDigest, leaf.tbsDigest],
    ["key", intent.keyDigest, leaf.keyDigest],
  ] as const) {
    if (!equalBytes(logged, own)) throw invalid(`another ${what}`);
  }
}

function invalid(got: string): LogError {
  return new LogError("log-proof-invalid", `expected the log to have the certificate, got ${got}`);
}

function sha256(bytes: Uint8Array): Uint8Array {
  return hash("sha256", bytes, "buffer");
}
