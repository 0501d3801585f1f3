/** What a certificate of ours must be to sign others. An operator's CA has rules of its own (`core/ca`). */

import { OID } from "../oid.ts";
import { basicConstraintsCritical, subjectKeyIdLints } from "./extensions.ts";
import { findExtension, hasUsage, runLints, type Lint, type LintVerdict } from "./lint.ts";
import { keyUsageCritical } from "./key-usage.ts";
import { serialLints } from "./serial.ts";

/** Positions of RFC 5280 4.2.1.3. */
const KEY_CERT_SIGN = 5;
const CRL_SIGN = 6;

export const caLints: readonly Lint[] = [
  basicConstraintsCritical,
  {
    name: "a-ca",
    source: "X509-SVID 4.1, RFC 5280 4.2.1.9",
    holds: ({ tbs: { isCa } }) => isCa,
  },
  keyUsageCritical,
  {
    name: "ca-key-usage-cert-sign",
    source: "X509-SVID 4.3, RFC 5280 4.2.1.3",
    holds: ({ tbs }) => hasUsage(tbs, KEY_CERT_SIGN),
  },
  {
    name: "ca-key-usage-crl-sign",
    source: "our profile: it can revoke what it signed",
    holds: ({ tbs }) => hasUsage(tbs, CRL_SIGN),
  },
  {
    name: "ca-key-usage-nothing-else",
    source: "X509-SVID 3.2, appendix A: it authenticates nobody",
    holds: ({ tbs }) => (tbs.keyUsage & ~((1 << KEY_CERT_SIGN) | (1 << CRL_SIGN))) === 0,
  },
  {
    name: "ca-no-extended-key-usage",
    source: "X509-SVID 4.4: verifiers differ in what it means",
    holds: ({ tbs }) => findExtension(tbs, OID.extendedKeyUsage) === undefined,
  },
  {
    name: "ca-subject-present",
    source: "RFC 5280 4.1.2.6; zlint ca_subject_field_empty",
    holds: ({ tbs: { subjectDer } }) => subjectDer.length > 2,
  },
  {
    name: "ca-spiffe-id-without-path",
    source: "X509-SVID 3.2",
    holds: ({ tbs: { uris }, uri }) => uris.length === 0 || (uris.length === 1 && uri.path === ""),
  },
  ...subjectKeyIdLints,
  ...serialLints,
];

export function lintCa(tbs: Uint8Array): LintVerdict {
  return runLints(caLints, tbs, undefined);
}
