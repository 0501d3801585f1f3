/** What a proof file has in its `extra` line: the two entries of a certificate, and the inclusion proof of the intent. */

import { LogError } from "./log-error.ts";
import { HASH_BYTES } from "./merkle.ts";

export interface ProofExtra {
  readonly result: Uint8Array;
  readonly intent: Uint8Array;
  readonly intentProof: readonly Uint8Array[];
}

/** Each entry after a length of two octets, then the hashes. */
export function encodeProofExtra({ result, intent, intentProof }: ProofExtra): Uint8Array {
  return Buffer.concat([lengthOf(result), result, lengthOf(intent), intent, ...intentProof]);
}

/** @throws LogError `log-proof-file-malformed` */
export function decodeProofExtra(extra: Buffer): ProofExtra {
  const resultEnd = endOfEntry(extra, 0);
  const intentEnd = endOfEntry(extra, resultEnd);
  if ((extra.length - intentEnd) % HASH_BYTES !== 0) throw malformed();
  const intentProof: Uint8Array[] = [];
  for (let at = intentEnd; at < extra.length; at += HASH_BYTES) {
    intentProof.push(extra.subarray(at, at + HASH_BYTES));
  }
  return {
    result: extra.subarray(2, resultEnd),
    intent: extra.subarray(resultEnd + 2, intentEnd),
    intentProof,
  };
}

function endOfEntry(extra: Buffer, start: number): number {
  if (start + 2 > extra.length) throw malformed();
  const end = start + 2 + extra.readUInt16BE(start);
  if (end > extra.length) throw malformed();
  return end;
}

function lengthOf(entry: Uint8Array): Uint8Array {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(entry.length);
  return length;
}

function malformed(): LogError {
  return new LogError(
    "log-proof-file-malformed",
    "expected two entries and whole hashes in the extra data of a proof",
  );
}
