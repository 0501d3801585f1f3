/** The deny list in a Secret, packed: the API server takes Secrets of 1 MiB. What is too large for that stays in the data directory alone. */

import { gunzipSync, gzipSync } from "node:zlib";
import { isJsonObject } from "../../../core/identity/json-object.ts";
import type { Denial } from "../../../core/deny/denial.ts";
import { DenyList } from "../../../core/deny/deny-list.ts";
import { DenyListError } from "../../../core/deny/deny-error.ts";

const packedMax = 900_000;
const unpackedMax = 16 * 1_048_576;

/** @returns undefined for one that is empty and always was */
export function encodeDenials({ sequence, denials }: DenyList): string | undefined {
  return sequence === 0 ? undefined : JSON.stringify({ sequence, denials });
}

export function fitsSecret(text: string): boolean {
  return text.length <= unpackedMax && packDenials(text).length <= packedMax;
}

/** @throws DenyListError `deny-list-malformed` */
export function decodeDenials(text: string | undefined): DenyList {
  if (text === undefined) return DenyList.empty;
  const value: unknown = JSON.parse(text);
  if (!isJsonObject(value)) throw malformed();
  const { sequence, denials } = value;
  if (typeof sequence !== "number" || !Array.isArray(denials)) throw malformed();
  return DenyList.of(sequence, denials.map(denialOf));
}

export function packDenials(text: string): Uint8Array {
  return gzipSync(text);
}

export function unpackDenials(bytes: Uint8Array): string {
  return gunzipSync(bytes, { maxOutputLength: unpackedMax }).toString("utf8");
}

/** What is in it is judged by `DenyList.of`. */
function denialOf(value: unknown): Denial {
  if (!isJsonObject(value)) throw malformed();
  const { sequence, target, reason, operator, createdAtMs, untilMs } = value;
  if (!isJsonObject(target)) throw malformed();
  const { kind, id, serialHex } = target;
  return {
    sequence: Number(sequence),
    target:
      kind === "identity"
        ? { kind, id: String(id) }
        : { kind: "serial", serialHex: String(serialHex) },
    reason: String(reason),
    operator: String(operator),
    createdAtMs: Number(createdAtMs),
    ...(untilMs !== undefined && { untilMs: Number(untilMs) }),
  };
}

function malformed(): DenyListError {
  return new DenyListError("deny-list-malformed", "the deny list of the Secret is unreadable");
}
