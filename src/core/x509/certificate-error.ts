import { PortcullisError } from "../error.ts";

export type CertificateErrorCode =
  | "certificate-too-large"
  | "certificate-version-unsupported"
  | "certificate-serial-invalid"
  | "certificate-signature-algorithm-mismatch"
  | "certificate-validity-inverted"
  | "certificate-unique-id"
  | "certificate-default-encoded"
  | "certificate-extensions-invalid"
  | "certificate-extension-duplicate"
  | "certificate-san-invalid"
  | "certificate-key-usage-invalid"
  | "certificate-extended-key-usage-invalid"
  | "certificate-basic-constraints-invalid"
  | "certificate-key-identifier-invalid";

/** A certificate that is well-formed DER and still not what RFC 5280 allows. */
export class CertificateError extends PortcullisError<CertificateErrorCode> {
  override name = "CertificateError";
}
