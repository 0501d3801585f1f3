/** What the key of a leaf may be used for. */

import { OID } from "../oid.ts";
import { findExtension, hasUsage, type Lint, type LintSubject } from "./lint.ts";

/** Positions of RFC 5280 4.2.1.3, written down a second time on purpose: the profile is the writer's. */
const DIGITAL_SIGNATURE = 0;
const KEY_ENCIPHERMENT = 2;
const KEY_CERT_SIGN = 5;
const CRL_SIGN = 6;

const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

/** Also of a CA. */
export const keyUsageCritical: Lint = {
  name: "key-usage-critical",
  source: "X509-SVID 4.3, RFC 5280 4.2.1.3; zlint ext_key_usage_not_critical",
  holds: ({ tbs }) => findExtension(tbs, OID.keyUsage)?.critical === true,
};

export const keyUsageLints: readonly Lint[] = [
  keyUsageCritical,
  {
    name: "key-usage-digital-signature",
    source: "X509-SVID 4.3; zlint key_usage_and_extended_key_usage_inconsistent",
    holds: ({ tbs }) => hasUsage(tbs, DIGITAL_SIGNATURE),
  },
  {
    name: "key-usage-no-cert-sign",
    source:
      "X509-SVID 4.3, RFC 5280 4.2.1.9; zlint ext_key_usage_cert_sign_without_ca, sub_cert_key_usage_cert_sign_bit_set",
    holds: ({ tbs }) => !hasUsage(tbs, KEY_CERT_SIGN),
  },
  {
    name: "key-usage-no-crl-sign",
    source: "X509-SVID 4.3; zlint sub_cert_key_usage_crl_sign_bit_set",
    holds: ({ tbs }) => !hasUsage(tbs, CRL_SIGN),
  },
  {
    name: "key-usage-of-key",
    source: "RFC 5480 3, RFC 3279 2.3.1; zlint ecdsa_ee_invalid_ku, ecdsa_allowed_ku",
    holds: (subject) => (subject.tbs.keyUsage & ~usagesOfKey(subject)) === 0,
  },
  {
    name: "extended-key-usage-not-critical",
    source: "our profile; zlint eku_critical_improperly",
    holds: ({ tbs }) => findExtension(tbs, OID.extendedKeyUsage)?.critical !== true,
  },
];

export const workloadPurpose: Lint = {
  name: "extended-key-usage-workload",
  source: "X509-SVID 4.4: serverAuth and clientAuth; our profile: nothing else",
  holds: ({ tbs }) => tbs.extendedKeyUsages.join() === `${SERVER_AUTH},${CLIENT_AUTH}`,
};

export const servingPurpose: Lint = {
  name: "extended-key-usage-serving",
  source: "RFC 5280 4.2.1.12; our profile: no right to be a client",
  holds: ({ tbs }) => tbs.extendedKeyUsages.join() === SERVER_AUTH,
};

export const canaryPurpose: Lint = {
  name: "extended-key-usage-canary",
  source: "RFC 5280 4.2.1.12; our profile: no right to be a server",
  holds: ({ tbs }) => tbs.extendedKeyUsages.join() === CLIENT_AUTH,
};

/** Those with lints of their own are allowed here. */
function usagesOfKey({ key }: LintSubject): number {
  const encipherment = key.type === "rsa" ? 1 << KEY_ENCIPHERMENT : 0;
  return (1 << DIGITAL_SIGNATURE) | (1 << KEY_CERT_SIGN) | (1 << CRL_SIGN) | encipherment;
}
