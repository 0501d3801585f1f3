/** What can be wrong with the transparency log: bytes that are no entry, proofs that prove nothing, a store that fails. */

import { PortcullisError } from "../error.ts";

export type LogErrorCode =
  | "log-entry-malformed"
  | "log-entry-too-large"
  | "log-entry-version"
  | "log-tree-invalid"
  | "log-proof-invalid"
  | "log-tile-path-invalid"
  | "log-note-malformed"
  | "log-note-unverified"
  | "log-key-malformed"
  | "log-checkpoint-malformed"
  | "log-proof-file-malformed"
  // Of the store in edge/log.
  | "log-full"
  | "log-unwritable"
  | "log-unreadable"
  | "log-newer"
  | "log-lost"
  | "log-damaged"
  | "log-key-mismatch";

export class LogError extends PortcullisError<LogErrorCode> {
  override name = "LogError";
}
