/**
 * Whom a denial is for: an identity, or one certificate by its serial. Each has one spelling, the one that
 * certificates are read with, so that a denial cannot miss by a capital letter or a colon.
 */

import { SpiffeId, SpiffeIdError, type TrustDomain } from "../spiffe/id.ts";
import { DenyListError } from "./deny-error.ts";

export type DenyTarget =
  | { readonly kind: "identity"; readonly id: string }
  | { readonly kind: "serial"; readonly serialHex: string };

/** RFC 5280 4.1.2.2. */
const serialOctetsMax = 20;
/** Serials of ours are 128 random bits: fewer than 64 are a typing error, or decimal. */
const serialOctetsMin = 8;

/**
 * @param text `spiffe://...`, or a serial as `svid show`, the log and OpenSSL print it: in hex, with or without colons
 * @throws DenyListError `deny-target-invalid`
 */
export function parseDenyTarget(text: string, trustDomain: TrustDomain): DenyTarget {
  return text.includes("/") ? identityTarget(text, trustDomain) : serialTarget(text);
}

/** What `DenyList` looks a target up by: a serial has no slash, and an identity always has. */
export function targetKey(target: DenyTarget): string {
  return target.kind === "identity" ? target.id : target.serialHex;
}

/** Whether it is spelled as certificates are read. */
export function isCanonicalTarget(target: DenyTarget): boolean {
  if (target.kind === "serial") return canonicalSerial.test(target.serialHex);
  try {
    return SpiffeId.parse(target.id).path !== "";
  } catch (error) {
    if (error instanceof SpiffeIdError) return false;
    throw error;
  }
}

const canonicalSerial = new RegExp(
  `^(?!00)(?:[0-9a-f]{2}){${serialOctetsMin},${serialOctetsMax}}$`,
);

function identityTarget(text: string, trustDomain: TrustDomain): DenyTarget {
  try {
    const id = SpiffeId.parse(text);
    if (!id.trustDomain.equals(trustDomain)) {
      throw invalid(`expected an identity of ${trustDomain.name}`, text);
    }
    if (id.path === "") throw invalid("expected an identity with a path", text);
    return Object.freeze({ kind: "identity", id: id.toString() });
  } catch (cause) {
    if (!(cause instanceof SpiffeIdError)) throw cause;
    throw new DenyListError("deny-target-invalid", cause.message, { cause, hint: bothSpellings });
  }
}

function serialTarget(text: string): DenyTarget {
  const octets = /^(?:[0-9a-f]{2}(?::[0-9a-f]{2})*|(?:[0-9a-f]{2})+)$/i;
  // DER puts a zero octet before a serial that begins with a set bit, and OpenSSL prints it.
  const serialHex = octets.test(text)
    ? text.replaceAll(":", "").toLowerCase().replace(/^00/, "")
    : "";
  if (canonicalSerial.test(serialHex)) return Object.freeze({ kind: "serial", serialHex });
  throw invalid(
    `expected a serial of ${serialOctetsMin} to ${serialOctetsMax} octets in hex`,
    text,
  );
}

const bothSpellings =
  "name an identity as spiffe://TRUST-DOMAIN/PATH, or a certificate by its serial as svid show prints it";

function invalid(expected: string, text: string): DenyListError {
  const got = JSON.stringify(text.slice(0, 200));
  return new DenyListError("deny-target-invalid", `${expected}, got ${got}`, {
    hint: bothSpellings,
  });
}
