/**
 * That the bytes to be signed say what was meant: these names, this key, this time, this number. Lints know what is
 * right for anybody; only these know what is right for one caller.
 */

import { equalBytes, hexOf } from "../bytes.ts";
import type { TbsCertificate } from "../x509/certificate.ts";
import type { SubjectAltNames } from "../x509/leaf-template.ts";
import type { Rule } from "../x509/lint/reader.ts";
import type { LeafProfile } from "../x509/profile.ts";
import type { Validity } from "./validity.ts";

export interface LeafIntent {
  readonly profile: LeafProfile["name"];
  readonly names: SubjectAltNames;
  readonly spki: Uint8Array;
  readonly validity: Validity;
  readonly serial: Uint8Array;
}

interface IntentCheck extends Rule {
  readonly holds: (tbs: TbsCertificate, intent: LeafIntent) => boolean;
}

export const intentChecks: readonly IntentCheck[] = [
  {
    name: "exact-names",
    source: "X509-SVID 2: the caller's SPIFFE ID",
    holds: ({ uris, dnsNames, ipAddresses }, { names }) =>
      sameTexts(uris, names.uris ?? []) &&
      sameTexts(dnsNames, names.dnsNames ?? []) &&
      sameTexts(ipAddresses.map(hexOf), (names.ipAddresses ?? []).map(hexOf)),
  },
  {
    name: "key-of-the-request",
    source: "design 4.1",
    holds: ({ spki }, intent) => equalBytes(spki, intent.spki),
  },
  {
    name: "exact-validity",
    source: "design 4.5",
    holds: ({ notBeforeMs, notAfterMs }, { validity }) =>
      notBeforeMs === validity.notBeforeMs && notAfterMs === validity.notAfterMs,
  },
  {
    name: "exact-serial",
    source: "RFC 5280 4.1.2.2",
    holds: ({ serialHex }, { serial }) => serialHex === formatSerial(serial),
  },
];

/** As readers of certificates write it: lower-case hex of the shortest magnitude. */
export function formatSerial(serial: Uint8Array): string {
  return hexOf(serialMagnitude(serial));
}

/** Without the zeros in front; a serial is positive, so something is left. */
export function serialMagnitude(serial: Uint8Array): Uint8Array {
  return serial.subarray(serial.findIndex((octet) => octet !== 0));
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, index) => text === b[index]);
}
