/**
 * The rules that the strict readers hold by themselves (`der`, `certificate`, `public-key`): bytes that break one are
 * never read, so no lint could look at them. Named by the readers' codes.
 */

import type { CertificateErrorCode } from "../certificate-error.ts";
import type { DerErrorCode } from "../der-error.ts";
import type { PublicKeyErrorCode } from "../public-key.ts";

export interface Rule {
  /** Kebab-case, stable. */
  readonly name: string;
  /** The section that asks for it, and zlint's name where it has one. */
  readonly source: string;
}

/** What is outside of the signed bytes cannot be wrong before there is a signature. */
export type ReaderCode =
  | Exclude<CertificateErrorCode, "certificate-signature-algorithm-mismatch">
  | DerErrorCode
  | PublicKeyErrorCode;

const sources: Readonly<Record<ReaderCode, string>> = {
  "der-truncated": "X.690 8.1.3; zlint cert_ext_invalid_der",
  "der-trailing-bytes": "X.690 8.1.1; zlint cert_ext_invalid_der",
  "der-unexpected-tag": "RFC 5280 4.1",
  "der-tag-invalid": "X.690 8.1.2",
  "der-length-indefinite": "X.690 10.1",
  "der-length-not-minimal": "X.690 10.1",
  "der-length-too-large": "our profile: 64 KiB",
  "der-too-deep": "our profile: 16 levels",
  "der-boolean-invalid": "X.690 11.1",
  "der-integer-invalid": "X.690 8.3.2",
  "der-bit-string-invalid": "X.690 11.2.1",
  "der-null-invalid": "X.690 8.8.2",
  "der-oid-invalid": "X.690 8.19.2",
  "der-string-invalid": "RFC 5280 4.1.2.4",
  "der-time-invalid":
    "RFC 5280 4.1.2.5; zlint wrong_time_format_pre2050, utc_time_*, generalized_time_*",
  "certificate-too-large": "our profile: 64 KiB",
  "certificate-version-unsupported": "RFC 5280 4.1.2.1; zlint cert_extensions_version_not_3",
  "certificate-serial-invalid":
    "RFC 5280 4.1.2.2; zlint serial_number_not_positive, serial_number_longer_than_20_octets",
  "certificate-validity-inverted": "RFC 5280 4.1.2.5; zlint validity_time_not_positive",
  "certificate-unique-id": "RFC 5280 4.1.2.8; zlint cert_contains_unique_identifier",
  "certificate-default-encoded": "X.690 11.5; zlint basic_constr_invalid_der",
  "certificate-extensions-invalid": "RFC 5280 4.1: SIZE (1..MAX)",
  "certificate-extension-duplicate": "RFC 5280 4.2; zlint ext_duplicate_extension",
  "certificate-san-invalid":
    "RFC 5280 4.2.1.6; zlint ext_san_no_entries, ext_san_empty_name, ext_san_uri_not_ia5",
  "certificate-key-usage-invalid":
    "RFC 5280 4.2.1.3, X.690 11.2.2; zlint superfluous_ku_encoding, incorrect_ku_encoding, ext_key_usage_without_bits",
  "certificate-extended-key-usage-invalid": "RFC 5280 4.2.1.12: SIZE (1..MAX)",
  "certificate-basic-constraints-invalid":
    "RFC 5280 4.2.1.9; zlint path_len_constraint_improperly_included, path_len_constraint_zero_or_less",
  "certificate-key-identifier-invalid": "RFC 5280 4.2.1.1, 4.2.1.2",
  "key-type-unsupported": "our profile: EC and RSA keys",
  "key-curve-unsupported": "our profile: P-256 and P-384",
  "key-curve-not-named": "RFC 5480 2.1.1",
  "key-point-compressed": "RFC 5480 2.2; zlint mp_ecdsa_pub_key_encoding_correct",
  "key-point-malformed": "RFC 5480 2.2; zlint mp_ecdsa_pub_key_encoding_correct",
  "key-point-not-on-curve": "SEC 1 3.2.2.1",
  "key-rsa-parameters-invalid": "RFC 3279 2.3.1; zlint spki_rsa_encryption_parameter_not_null",
  "key-rsa-modulus-invalid": "RFC 8017 3.1; zlint rsa_mod_not_odd",
  "key-rsa-too-small": "our profile: 2048 bits; zlint rsa_mod_less_than_2048_bits",
  "key-rsa-too-large": "our profile: 8192 bits",
  "key-rsa-exponent-invalid": "RFC 8017 3.1; zlint rsa_exp_negative, rsa_public_exponent_not_odd",
};

export const readerRules: readonly Rule[] = Object.entries(sources).map(([name, source]) => ({
  name,
  source,
}));

export function isReaderCode(code: string): code is ReaderCode {
  return Object.hasOwn(sources, code);
}

export function readerRule(code: ReaderCode): Rule {
  return { name: code, source: sources[code] };
}
