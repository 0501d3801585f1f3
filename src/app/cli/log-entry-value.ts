/** An entry of the log as a value for programs: times in RFC 3339, octets in hex. */

import type { Entry } from "../../core/log/entry.ts";
import type { JsonValue } from "./output.ts";

export type EntryValue = { readonly [field: string]: JsonValue };

export function entryValue(index: number, entry: Entry): EntryValue {
  const { kind, timeMs } = entry;
  return { index, time: logTime(timeMs), kind, ...bodyOf(entry) };
}

function bodyOf(entry: Entry): EntryValue {
  switch (entry.kind) {
    case "intent":
      return {
        artifact: entry.artifact,
        requestId: entry.requestId,
        identity: entry.identity,
        authority: entry.authority,
        root: entry.root,
        serial: hex(entry.serial),
        notBefore: logTime(entry.notBeforeMs),
        notAfter: logTime(entry.notAfterMs),
        keySha256: hex(entry.keyDigest),
        tbsSha256: hex(entry.tbsDigest),
        evidence: { ...entry.evidence },
        agent: entry.agent,
      };
    case "result":
      return {
        intent: entry.intentIndex,
        serial: hex(entry.serial),
        outcome: entry.outcome,
        certificateSha256: hex(entry.certificateDigest),
        reason: entry.reason,
      };
    case "refusals":
      return {
        caller: entry.caller,
        address: entry.address,
        reason: entry.reason,
        count: entry.count,
        first: logTime(entry.firstMs),
        last: logTime(entry.lastMs),
      };
    case "event":
      return {
        type: entry.type,
        operator: entry.operator,
        subject: entry.subject,
        reason: entry.reason,
        sha256: hex(entry.digest),
        detail: entry.detail,
      };
    default:
      return entry satisfies never;
  }
}

/** Fields of fields get a name of both: `evidence pod`. */
export function fieldRows(value: EntryValue, prefix: string = ""): readonly [string, string][] {
  return Object.entries(value).flatMap(([name, field]): readonly [string, string][] => {
    const label = `${prefix}${name.replaceAll(/[A-Z]/g, (capital) => ` ${capital.toLowerCase()}`)}`;
    if (isRecord(field)) return fieldRows(field, `${label} `);
    return [[label, textOf(field)]];
  });
}

function textOf(field: JsonValue): string {
  if (typeof field === "string") return field;
  return field === null ? "" : JSON.stringify(field);
}

function isRecord(value: JsonValue): value is EntryValue {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A time of the log can be later than any that Date knows. */
export function logTime(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? String(timeMs) : date.toISOString();
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString("hex");
}
