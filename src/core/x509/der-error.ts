import { PortcullisError } from "../error.ts";

export type DerErrorCode =
  | "der-truncated"
  | "der-trailing-bytes"
  | "der-unexpected-tag"
  | "der-tag-invalid"
  | "der-length-indefinite"
  | "der-length-not-minimal"
  | "der-length-too-large"
  | "der-too-deep"
  | "der-boolean-invalid"
  | "der-integer-invalid"
  | "der-bit-string-invalid"
  | "der-null-invalid"
  | "der-oid-invalid"
  | "der-string-invalid"
  | "der-time-invalid";

/** Bytes that are not DER, or not the type that belongs here. */
export class DerError extends PortcullisError<DerErrorCode> {
  override name = "DerError";
}
