/** Until when a policy is to be permissive, and who answers for it: two annotations. The date alarms, and never changes a mode. */

import { isJsonObject, type JsonObject } from "../identity/json-object.ts";
import type { PolicyModes } from "./edited-policy.ts";

/** RFC 3339: a time, or a date, which is its first moment in UTC. */
export const untilAnnotation = "portcullis.io/permissive-until";
export const ownerAnnotation = "portcullis.io/owner";

export interface PermissiveDebt {
  /** Undefined for a text that is no date: it alarms at once. */
  readonly untilMs: number | undefined;
  /** As it is written. */
  readonly until: string;
  /** "" for nobody. */
  readonly owner: string;
}

/** What a date is to be, for whoever wrote another. */
export const untilExpected = "a date or time such as 2026-12-24 or 2026-12-24T08:00:00Z";

/** Of a PeerAuthentication, whatever its mode. @returns undefined where no date is written */
export function readDebt(manifest: JsonObject): PermissiveDebt | undefined {
  const annotations = annotationsOf(manifest);
  const until = annotations[untilAnnotation];
  if (typeof until !== "string") return undefined;
  const owner = annotations[ownerAnnotation];
  return { untilMs: parseUntil(until), until, owner: typeof owner === "string" ? owner : "" };
}

export function isOverdue({ untilMs }: PermissiveDebt, nowMs: number): boolean {
  return untilMs === undefined || untilMs <= nowMs;
}

/** Nothing that it says lets plaintext in. */
export function isPaid({ mode, ports }: PolicyModes): boolean {
  const all = [...ports.values()];
  const isStrict = mode === "STRICT" || (mode === "UNSET" && all.includes("STRICT"));
  return isStrict && all.every((each) => each === "STRICT" || each === "UNSET");
}

/** A date where it is a day's first moment; whole seconds. */
export function formatUntil(untilMs: number): string {
  const time = new Date(untilMs).toISOString().replace(/\.\d{3}Z$/, "Z");
  return time.replace(/T00:00:00Z$/, "");
}

/** Of what lets no plaintext in any more: nobody owes anything. */
export function withoutDebt(manifest: JsonObject): JsonObject {
  const { [untilAnnotation]: until, [ownerAnnotation]: owner, ...rest } = annotationsOf(manifest);
  if (until === undefined && owner === undefined) return manifest;
  const { annotations: _, ...metadata } = metadataOf(manifest);
  const kept = Object.keys(rest).length > 0 && { annotations: rest };
  return { ...manifest, metadata: { ...metadata, ...kept } };
}

export function withDebt(manifest: JsonObject, untilMs: number, owner: string): JsonObject {
  const annotations = Object.entries({
    ...annotationsOf(manifest),
    [untilAnnotation]: formatUntil(untilMs),
    [ownerAnnotation]: owner,
  }).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const metadata = { ...metadataOf(manifest), annotations: Object.fromEntries(annotations) };
  return { ...manifest, metadata };
}

const rfc3339 =
  /^(\d{4}-\d{2}-\d{2})(?:[Tt](\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?)([Zz]|[+-]\d{2}:\d{2}))?$/;

function parseUntil(text: string): number | undefined {
  const [whole, date = "", time = "00:00:00", zone = "Z"] = rfc3339.exec(text) ?? [];
  if (whole === undefined || !isDate(date)) return undefined;
  const ms = Date.parse(`${date}T${time}${zone.toUpperCase()}`);
  return Number.isNaN(ms) ? undefined : ms;
}

/** No 30th of February, which would be another day. */
function isDate(date: string): boolean {
  const ms = Date.parse(`${date}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date);
}

function metadataOf({ metadata }: JsonObject): JsonObject {
  return isJsonObject(metadata) ? metadata : {};
}

function annotationsOf(manifest: JsonObject): JsonObject {
  const { annotations } = metadataOf(manifest);
  return isJsonObject(annotations) ? annotations : {};
}
