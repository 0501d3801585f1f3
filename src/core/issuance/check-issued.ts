/**
 * What is held against what was prepared, right before the signature and right after it, with a reader that shares
 * nothing with the writer. A failure is a fault of ours: nothing is sent, and the name of the check is reported.
 */

import { hash, verify } from "node:crypto";
import { equalBytes } from "../bytes.ts";
import {
  openCertificate,
  parseTbs,
  type CertificateShell,
  type TbsCertificate,
} from "../x509/certificate.ts";
import type { Rule } from "../x509/lint/reader.ts";
import type { LeafProfile } from "../x509/profile.ts";
import type { Authority } from "./authority.ts";
import { formatSerial, type LeafIntent } from "./intent-checks.ts";
import { IssuanceError } from "./issuance-error.ts";
import { assertFit, type PreparedLeaf } from "./prepare.ts";

interface Check<Subject, Leaf> extends Rule {
  readonly holds: (subject: Subject, leaf: Leaf, authority: Authority) => boolean;
}

type Unsigned = Pick<PreparedLeaf, "tbs">;

/** The bytes may have come from another thread, and the authority may have been replaced since they were prepared. */
export const preparedChecks: readonly Check<TbsCertificate, PreparedLeaf>[] = [
  {
    name: "tbs-as-prepared",
    source: "design 4.4: what is signed is what the log says",
    holds: ({ tbs }, leaf) => equalBytes(hash("sha256", tbs, "buffer"), leaf.tbsDigest),
  },
  {
    name: "fields-as-prepared",
    source: "design 4.4",
    holds: ({ serialHex, notAfterMs }, leaf) =>
      serialHex === formatSerial(leaf.serial) && notAfterMs === leaf.notAfterMs,
  },
  {
    name: "names-its-issuer",
    source: "RFC 5280 4.1.2.4, 4.2.1.1",
    holds: ({ issuerDer, authorityKeyId }, _, { issuer }) =>
      equalBytes(issuerDer, issuer.subjectDer) &&
      authorityKeyId !== undefined &&
      equalBytes(authorityKeyId, issuer.keyId),
  },
  {
    name: "names-its-algorithm",
    source: "RFC 5280 4.1.1.2",
    holds: ({ signatureAlgorithmDer }, _, { signer }) =>
      equalBytes(signatureAlgorithmDer, signer.algorithm.identifier),
  },
];

export const signedChecks: readonly Check<CertificateShell, Unsigned>[] = [
  {
    name: "tbs-unchanged",
    source: "design 4.4",
    holds: ({ tbs }, leaf) => equalBytes(tbs, leaf.tbs),
  },
  {
    name: "signature-algorithm",
    source: "RFC 5280 4.1.1.2",
    holds: ({ signatureAlgorithmDer }, _, { signer }) =>
      equalBytes(signatureAlgorithmDer, signer.algorithm.identifier),
  },
  {
    name: "signature-verifies",
    source: "RFC 5280 4.1.1.3, 6.1.3: under the key of the CA's certificate",
    holds: ({ tbs, signature }, _, { signer, verificationKey }) =>
      verify(signer.algorithm.digest, tbs, verificationKey, signature),
  },
];

/** @throws IssuanceError `certificate-check-failed`, naming the check */
export function assertPrepared(leaf: PreparedLeaf, authority: Authority): void {
  assertChecks(
    "the prepared certificate",
    preparedChecks,
    () => parseTbs(leaf.tbs),
    leaf,
    authority,
  );
}

/** @throws IssuanceError `certificate-check-failed`, naming the check */
export function assertSigned(der: Uint8Array, leaf: Unsigned, authority: Authority): void {
  assertChecks("the signed certificate", signedChecks, () => openCertificate(der), leaf, authority);
}

/** What one certificate was meant to say that is signed in one go. */
export interface IssuedIntent extends Omit<LeafIntent, "profile"> {
  readonly profile: LeafProfile;
  readonly tbs: Uint8Array;
}

/**
 * The checks of both halves, after the fact.
 *
 * @throws IssuanceError `certificate-lint-failed`, `certificate-check-failed`
 */
export function checkIssued(der: Uint8Array, intent: IssuedIntent, authority: Authority): void {
  const { profile, validity } = intent;
  assertFit(
    intent.tbs,
    { ...intent, profile: profile.name },
    {
      issuer: authority.issuer,
      nowMs: validity.notBeforeMs + profile.backdateSeconds * 1_000,
      lifetimeMaxSeconds: Infinity,
    },
  );
  assertSigned(der, intent, authority);
}

function assertChecks<Subject, Leaf>(
  what: string,
  checks: readonly Check<Subject, Leaf>[],
  read: () => Subject,
  leaf: Leaf,
  authority: Authority,
): void {
  let broken: Check<Subject, Leaf> | undefined;
  try {
    const subject = read();
    broken = checks.find((check) => !check.holds(subject, leaf, authority));
  } catch (cause) {
    throw checkFailed(`${what} cannot be checked`, cause);
  }
  if (broken !== undefined) throw checkFailed(`${what} fails ${broken.name} (${broken.source})`);
}

function checkFailed(message: string, cause?: unknown): IssuanceError {
  return new IssuanceError("certificate-check-failed", message, {
    cause,
    hint: "this is a fault of the CA, not of the caller: keep its log and report it",
  });
}
