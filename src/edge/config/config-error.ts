import { PortcullisError, type ErrorOptionsWithHint } from "../../core/error.ts";

export type ConfigErrorCode =
  | "config-conflict"
  | "config-invalid-value"
  | "config-malformed"
  | "config-missing-value"
  | "config-unknown-key";

/** A setting that cannot be used. The message starts with where it was given. */
export class ConfigError extends PortcullisError<ConfigErrorCode> {
  override name = "ConfigError";
  /** Where the operator gave it: `--default-ttl`, or `config.yaml: certificates.defaultTtl`. */
  readonly path: string;

  constructor(code: ConfigErrorCode, path: string, reason: string, options?: ErrorOptionsWithHint) {
    super(code, `${path}: ${reason}`, options);
    this.path = path;
  }
}
