/** Who a leaf names, and whom as its issuer. */

import { equalBytes } from "../../bytes.ts";
import type { LeafContext, Lint } from "./lint.ts";

const EMPTY_NAME = Uint8Array.of(0x30, 0);

export const nameLints: readonly Lint<LeafContext>[] = [
  {
    name: "subject-empty",
    source: "our profile: the names are in the SAN alone",
    holds: ({ tbs: { subjectDer } }) => equalBytes(subjectDer, EMPTY_NAME),
  },
  {
    name: "san-critical-without-subject",
    source:
      "RFC 5280 4.2.1.6, X509-SVID 3.1; zlint ext_san_not_critical_without_subject, subject_empty_without_san",
    holds: ({ tbs: { sanCritical } }) => sanCritical,
  },
  {
    name: "san-types",
    source: "our profile: URIs, DNS names, addresses",
    holds: ({ tbs: { otherSanCount } }) => otherSanCount === 0,
  },
  {
    name: "dns-name-syntax",
    source: "RFC 5280 4.2.1.6, RFC 1123 2.1",
    holds: ({ tbs: { dnsNames } }) => dnsNames.every(isDnsName),
  },
  {
    name: "issuer-present",
    source: "RFC 5280 4.1.2.4; zlint issuer_field_empty",
    holds: ({ tbs: { issuerDer } }) => !equalBytes(issuerDer, EMPTY_NAME),
  },
  {
    name: "issuer-of-authority",
    source: "RFC 5280 4.1.2.4, 6.1.3",
    holds: ({ tbs: { issuerDer } }, { issuer }) => equalBytes(issuerDer, issuer.subjectDer),
  },
];

/** That there is a name follows: the SAN is there, and nothing but DNS names and addresses is left for it. */
export const servingNameLints: readonly Lint[] = [
  {
    name: "serving-no-uri",
    source: "our profile: it is no SVID",
    holds: ({ tbs: { uris } }) => uris.length === 0,
  },
];

export const canaryNameLints: readonly Lint[] = [
  {
    name: "canary-identity",
    source: "our profile: an identity that no caller can have",
    holds: ({ tbs: { uris, dnsNames, ipAddresses } }) =>
      /^spiffe:\/\/[^/]+\/portcullis\/canary$/.test(uris.join()) &&
      dnsNames.length + ipAddresses.length === 0,
  },
];

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;

function isDnsName(name: string): boolean {
  return name.length <= 253 && name.split(".").every((label) => LABEL.test(label));
}
