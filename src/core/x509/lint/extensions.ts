/** The other extensions of a leaf. */

import { equalBytes } from "../../bytes.ts";
import { OID } from "../oid.ts";
import { findExtension, type LeafContext, type Lint } from "./lint.ts";

const KNOWN: ReadonlySet<string> = new Set([
  OID.subjectKeyIdentifier,
  OID.keyUsage,
  OID.subjectAltName,
  OID.basicConstraints,
  OID.authorityKeyIdentifier,
  OID.extendedKeyUsage,
]);

/** These two also of a CA. */
export const basicConstraintsCritical: Lint = {
  name: "basic-constraints-critical",
  source: "RFC 5280 4.2.1.9, X509-SVID 4.1; zlint basic_constraints_not_critical",
  holds: ({ tbs }) => findExtension(tbs, OID.basicConstraints)?.critical === true,
};

export const subjectKeyIdLints: readonly Lint[] = [
  {
    name: "subject-key-id-not-critical",
    source: "RFC 5280 4.2.1.2; zlint ext_subject_key_identifier_critical",
    holds: ({ tbs }) => findExtension(tbs, OID.subjectKeyIdentifier)?.critical !== true,
  },
  {
    name: "subject-key-id-of-key",
    source:
      "RFC 7093 2, method 4; zlint ext_subject_key_identifier_missing_ca, ext_subject_key_identifier_missing_sub_cert",
    holds: ({ tbs: { subjectKeyId }, keyDigest }) =>
      subjectKeyId !== undefined && equalBytes(subjectKeyId, keyDigest.subarray(0, 20)),
  },
];

export const extensionLints: readonly Lint<LeafContext>[] = [
  {
    name: "no-foreign-extension",
    source: "our profile",
    holds: ({ tbs: { extensions } }) => extensions.every(({ oid }) => KNOWN.has(oid)),
  },
  basicConstraintsCritical,
  {
    name: "not-a-ca",
    source: "X509-SVID 4.1",
    holds: ({ tbs: { isCa } }) => !isCa,
  },
  {
    name: "authority-key-id-not-critical",
    source: "RFC 5280 4.2.1.1; zlint ext_authority_key_identifier_critical",
    holds: ({ tbs }) => findExtension(tbs, OID.authorityKeyIdentifier)?.critical !== true,
  },
  {
    name: "authority-key-id-of-issuer",
    source: "RFC 5280 4.2.1.1; zlint ext_authority_key_identifier_no_key_identifier",
    holds: ({ tbs: { authorityKeyId } }, { issuer }) =>
      authorityKeyId !== undefined && equalBytes(authorityKeyId, issuer.keyId),
  },
  ...subjectKeyIdLints,
];
