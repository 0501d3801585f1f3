/**
 * The caller behind a certificate of another PKI: a leaf whose chain and whose signature over the
 * claims are verified, and the operator's rules for that PKI in, the caller out. Of the claims, only
 * audience, time and token ID count: the names are those in the certificate.
 */

import { hash } from "node:crypto";
import type { Certificate } from "../x509/certificate.ts";
import { ExtendedKeyUsage, KeyUsage } from "../x509/profile.ts";
import { AuthnError } from "./authn-error.ts";
import type { Caller } from "./caller.ts";
import { commonNameOf } from "./common-name.ts";
import type { JsonObject } from "./json-object.ts";
import { asOpaqueId, parseRegisteredClaims } from "./registered-claims.ts";
import { assertAudience, assertTokenLife, assertTokenTime, type TimeRules } from "./token-rules.ts";
import { decideX5cIdentity, type X5cRuleSet } from "./x5c-rule.ts";

export interface X5cRules extends TimeRules, X5cRuleSet {
  /** The token must name at least one of these. */
  readonly audiences: readonly string[];
}

export interface X5cCaller {
  readonly caller: Caller;
  readonly use: TokenUse;
}

/** By what a token that counts once is known again. */
export interface TokenUse {
  /** SHA-256 of the certificate, in hex: nobody can use up another's tokens. */
  readonly holder: string;
  readonly tokenId: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

/** @throws AuthnError with the first thing that is wrong */
export function callerFromX5c(
  leaf: Certificate,
  claims: JsonObject,
  rules: X5cRules,
  nowMs: number,
): X5cCaller {
  assertClientLeaf(leaf);
  const registered = parseRegisteredClaims(claims);
  const { expiresAtMs } = registered.validity;
  assertAudience(registered.audiences, rules.audiences);
  assertTokenTime(registered.validity, rules, nowMs);
  const issuedAtMs = assertTokenLife(registered, LIFE_MAX_MS);
  const tokenId = asOpaqueId(claims["jti"], "jti");
  const commonName = commonNameOf(leaf.subjectDer);
  const { dnsNames, uris, serialHex, notAfterMs } = leaf;
  const names = { dnsNames, uris, commonName };
  const { id, rule } = decideX5cIdentity(rules, names);
  const fingerprint = hash("sha256", leaf.der, "hex");
  const caller = Object.freeze({
    id,
    expiresAtMs: Math.min(expiresAtMs, notAfterMs),
    certificateNotAfterMs: notAfterMs,
    evidence: Object.freeze({
      method: "x5c",
      entry: rules.name,
      tokenId,
      serialHex,
      fingerprint,
      rule,
    }),
  });
  return { caller, use: { holder: fingerprint, tokenId, issuedAtMs, expiresAtMs } };
}

/** The holder makes a token for each call. */
const LIFE_MAX_MS = 5 * 60_000;

/** RFC 5280 4.2.1.3 and 4.2.1.12: what an extension that is there does not allow is forbidden. */
function assertClientLeaf({ isCa, keyUsage, extendedKeyUsages, serialHex }: Certificate): void {
  const maySign = keyUsage === 0 || (keyUsage & (1 << KeyUsage.digitalSignature)) !== 0;
  const isForClients =
    extendedKeyUsages.length === 0 || extendedKeyUsages.includes(ExtendedKeyUsage.clientAuth);
  if (!isCa && maySign && isForClients) return;
  const expected = "expected a leaf that may sign and is for clients";
  throw new AuthnError("x5c-certificate", `${expected}, got certificate ${serialHex}`);
}
