import { PortcullisError, type ErrorOptionsWithHint } from "../error.ts";

export type CaFilesErrorCode =
  | "ca-files-missing"
  | "ca-files-two-layouts"
  | "ca-files-unreadable"
  | "ca-file-too-large"
  | "ca-file-malformed"
  | "ca-too-many-certificates"
  | "ca-not-a-ca"
  | "ca-path-length"
  | "ca-not-in-date"
  | "ca-key-unsupported"
  | "ca-signature-unsupported"
  | "ca-purpose"
  | "ca-critical-extension"
  | "ca-root-not-self-signed"
  | "ca-root-changed"
  | "ca-chain-broken"
  | "ca-chain-leftover"
  | "ca-crl-missing"
  | "ca-crl-not-in-date"
  | "ca-crl-several"
  | "ca-crl-signature"
  | "ca-crl-signer-unfit";

/** An operator's CA that cannot be used. The message starts with the file to look at. */
export class CaFilesError extends PortcullisError<CaFilesErrorCode> {
  override name = "CaFilesError";
  /** As the operator knows it: a name in the directory, or a path. */
  readonly file: string;

  constructor(
    code: CaFilesErrorCode,
    file: string,
    reason: string,
    options?: ErrorOptionsWithHint,
  ) {
    super(code, `${file}: ${reason}`, options);
    this.file = file;
  }
}
