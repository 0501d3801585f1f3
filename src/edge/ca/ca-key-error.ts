import { PortcullisError, type ErrorOptionsWithHint } from "../../core/error.ts";

export type CaKeyErrorCode =
  | "ca-key-missing"
  | "ca-key-exists"
  | "ca-key-elsewhere"
  | "ca-key-several"
  | "ca-key-not-a-key"
  | "ca-key-malformed"
  | "ca-key-encrypted"
  | "ca-key-undecryptable"
  | "ca-key-type-unsupported"
  | "ca-key-mismatch";

/** A CA's private key that cannot be used. Neither key nor passphrase are ever in it, nor OpenSSL's words on them. */
export class CaKeyError extends PortcullisError<CaKeyErrorCode> {
  override name = "CaKeyError";
  /** As the operator knows it: a name in the directory, or a path. */
  readonly file: string;

  constructor(code: CaKeyErrorCode, file: string, reason: string, options?: ErrorOptionsWithHint) {
    super(code, `${file}: ${reason}`, options);
    this.file = file;
  }
}
