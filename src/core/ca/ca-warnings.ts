/** What of an operator's CA works today and will not be enough: said once, and never a reason to refuse it. */

import { judgeExpiry } from "../issuance/expiry.ts";
import { isInDate, formatTime, formatSpan, type CaCertificate } from "./ca-certificate.ts";
import { maySignCrls } from "./ca-crls.ts";
import type { CaPath } from "./ca-path.ts";
import { NAME_CONSTRAINTS } from "./ca-rules.ts";
import type { CaWarning } from "./ca-warning.ts";

const DAY_MS = 86_400_000;
/** The default life of a workload's certificate. */
const LEAF_LIFE_MS = DAY_MS;

export function caWarnings(
  { chain, root }: CaPath,
  roots: readonly CaCertificate[],
  nowMs: number,
): readonly CaWarning[] {
  const path = [...chain, root];
  const others = roots.filter((each) => each !== root);
  return [
    ...path.slice(0, 1).flatMap(crlSign),
    ...path.flatMap((each) => [...expiry(each, nowMs), ...keyId(each), ...nameConstraints(each)]),
    ...others.map((each) => otherRootWarning(each, nowMs)),
  ];
}

function crlSign({ file, certificate, description }: CaCertificate): readonly CaWarning[] {
  if (maySignCrls(certificate.keyUsage)) return [];
  const message = `revocation lists of this authority cannot be made: ${description} has no keyUsage cRLSign`;
  return [{ code: "ca-crl-sign-missing", file, message }];
}

function expiry(each: CaCertificate, nowMs: number): readonly CaWarning[] {
  const { file, certificate, description } = each;
  const leftMs = certificate.notAfterMs - nowMs;
  if (judgeExpiry(certificate.notAfterMs, nowMs) === "later") return [];
  const effect = leftMs < LEAF_LIFE_MS ? ", and no certificate outlives it" : "";
  const message = `${description} expires at ${formatTime(certificate.notAfterMs)}${effect}`;
  return [{ code: "ca-expires-soon", file, message }];
}

function keyId({ file, certificate, description }: CaCertificate): readonly CaWarning[] {
  if (certificate.subjectKeyId !== undefined) return [];
  const message = `${description} has no subject key identifier (RFC 5280 4.2.1.2)`;
  return [{ code: "ca-subject-key-id-missing", file, message }];
}

function nameConstraints({ file, certificate, description }: CaCertificate): readonly CaWarning[] {
  if (!certificate.extensions.some(({ oid }) => oid === NAME_CONSTRAINTS)) return [];
  const message = `${description} has name constraints: they are not evaluated here, but by Envoy`;
  return [{ code: "ca-name-constraints", file, message }];
}

function otherRootWarning(each: CaCertificate, nowMs: number): CaWarning {
  const { file, certificate, description } = each;
  const otherRoot = certificate.der;
  if (!isInDate(each, nowMs)) {
    const message = `the root ${description} is valid from ${formatSpan(certificate)}`;
    return { code: "ca-root-not-in-date", file, message, otherRoot };
  }
  const message = `the root ${description} is trusted, and nothing is signed under it here`;
  return { code: "ca-root-unused", file, message, otherRoot };
}
