import { PortcullisError } from "../../core/error.ts";

export type UsageErrorCode =
  | "usage-invalid-value"
  | "usage-missing-argument"
  | "usage-missing-flag"
  | "usage-missing-value"
  | "usage-unexpected-argument"
  | "usage-unknown-flag"
  | "usage-unknown-verb";

/** The command line cannot be understood. The hint is the command that shows how it should look. */
export class UsageError extends PortcullisError<UsageErrorCode> {
  override name = "UsageError";
}
