/** Why connections are not recorded, or cannot be asked about. Nobody takes it for "nothing was seen": the answer is not known. */

import { PortcullisError } from "../../core/error.ts";
import { errnoOf } from "../config/errno.ts";

export type EvidenceStoreErrorCode =
  | "evidence-unwritable"
  | "evidence-unreadable"
  | "evidence-full"
  | "evidence-ended";

export class EvidenceStoreError extends PortcullisError<EvidenceStoreErrorCode> {
  override name = "EvidenceStoreError";
}

/** SQLite's primary result codes (https://www.sqlite.org/rescode.html) that say nothing about the file itself. */
const worldFailures: ReadonlyMap<number, string> = new Map([
  [5, "another process holds it"],
  [8, "it is read-only (EROFS)"],
  [10, "the file system failed or is full (EIO)"],
  [13, "the disk is full, or the file has reached its limit (ENOSPC)"],
  [14, "it cannot be opened"],
]);

/** Another try may go well. @returns undefined for what is not the world's fault */
export function unwritable(path: string, cause: unknown): EvidenceStoreError | undefined {
  const reason = worldFailures.get(resultCode(cause) ?? 0) ?? systemErrorOf(cause);
  if (reason === undefined) return undefined;
  return new EvidenceStoreError("evidence-unwritable", `${path} cannot be written: ${reason}`, {
    cause,
    hint: "make room, or repair its file system: agents keep what they have seen meanwhile",
  });
}

function systemErrorOf(cause: unknown): string | undefined {
  const code = errnoOf(cause);
  return code?.startsWith("ERR_") === true ? undefined : code;
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error)) return undefined;
  return typeof error.errcode === "number" ? error.errcode & 0xff : undefined;
}
