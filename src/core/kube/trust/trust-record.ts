/**
 * The trust state as a Secret of the cluster has it: the document that the store has, its epoch, and who wrote it. A digest over all of it
 * shows what an editor's hand has touched; against whoever means harm it is no help, and he has the keys beside it.
 */

import { hash } from "node:crypto";
import { PortcullisError } from "../../error.ts";
import { isJsonObject } from "../../identity/json-object.ts";
import { encodeTrustState, parseTrustState } from "../../trust/trust-state-codec.ts";
import type { TrustState } from "../../trust/trust-state.ts";

export interface TrustRecord {
  /** Of the first one, for good: a Secret of another mesh has another. */
  readonly lineage: string;
  /** Names the data directory that wrote it. */
  readonly writer: string;
  /** The longest lifetime that anything under it was ever signed with, as far as its writer knows. */
  readonly ttlMaxSeconds: number;
  readonly state: TrustState;
}

export class TrustRecordError extends PortcullisError<
  "trust-record-malformed" | "trust-record-edited" | "trust-record-newer"
> {
  override name = "TrustRecordError";
}

/** A document has 16 KiB at most, and as JSON in JSON a little more. */
const textMax = 40_000;
const idPattern = /^[0-9a-f]{16,64}$/;

/** @throws TrustStateError `trust-state-too-large` */
export function encodeTrustRecord({ state, ...record }: TrustRecord): string {
  const { lineage, writer, ttlMaxSeconds } = record;
  const document = encodeTrustState(state);
  const fields = { version: 1, lineage, writer, ttlMaxSeconds, epoch: state.epoch, document };
  return JSON.stringify({ ...fields, sha256: digestOf(fields) });
}

/** @throws TrustRecordError */
export function parseTrustRecord(text: string): TrustRecord {
  if (text.length > textMax) throw malformed(`at most ${textMax} characters`, `${text.length}`);
  const { version, lineage, writer, ttlMaxSeconds, epoch, document, sha256 } = parseObject(text);
  if (typeof version !== "number") throw malformed("a version");
  if (version !== 1) throw newer("expected a trust record of version 1");
  if (typeof lineage !== "string" || !idPattern.test(lineage)) throw malformed("a lineage");
  if (typeof writer !== "string" || !idPattern.test(writer)) throw malformed("a writer");
  if (!isCount(ttlMaxSeconds)) throw malformed("a longest lifetime");
  if (!isCount(epoch)) throw malformed("an epoch");
  if (typeof document !== "string") throw malformed("a document");
  if (sha256 !== digestOf({ version, lineage, writer, ttlMaxSeconds, epoch, document })) {
    throw new TrustRecordError("trust-record-edited", "the trust record is not as it was written");
  }
  return { lineage, writer, ttlMaxSeconds, state: parseState(epoch, document) };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1;
}

/** It is as a server wrote it: one that this one does not understand knew more. */
function parseState(epoch: number, document: string): TrustState {
  try {
    return parseTrustState(epoch, document);
  } catch (cause) {
    throw newer("expected a trust state of a version that is known here", cause);
  }
}

function newer(message: string, cause?: unknown): TrustRecordError {
  return new TrustRecordError("trust-record-newer", message, {
    cause,
    hint: "it was written by a newer portcullis: run that one",
  });
}

/** Of a state but for its epoch, in whatever version it was stored; lower-case hex. */
export function stateDigest(state: TrustState): string {
  return hash("sha256", encodeTrustState(state), "hex");
}

interface Fields {
  readonly version: number;
  readonly lineage: string;
  readonly writer: string;
  readonly ttlMaxSeconds: number;
  readonly epoch: number;
  readonly document: string;
}

function digestOf(fields: Fields): string {
  const { version, lineage, writer, ttlMaxSeconds, epoch, document } = fields;
  const all = [version, lineage, writer, ttlMaxSeconds, epoch, document];
  return hash("sha256", JSON.stringify(all), "hex");
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value)) return value;
  } catch {
    // As anything else that is no object.
  }
  throw malformed("a JSON object");
}

function malformed(expected: string, got = "something else"): TrustRecordError {
  const message = `expected ${expected} in the trust record, got ${got}`;
  return new TrustRecordError("trust-record-malformed", message);
}
