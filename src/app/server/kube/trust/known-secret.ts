/** What a data directory knows of its Secret: its own name there, what it saw last, and what it was about to write. */

import { isJsonObject, type JsonObject } from "../../../../core/identity/json-object.ts";
import type { Stamp } from "../../../../core/kube/trust/trust-judgement.ts";
import { StoreError } from "../../../../edge/store/store.ts";

export interface KnownSecret {
  /** Of this directory. */
  readonly writer: string;
  /** "" until there is one. */
  readonly lineage: string;
  /** What the Secret was seen to have; 0 and "" before. */
  readonly epoch: number;
  readonly digest: string;
  /** What may be there since, oldest first: it was about to be written. */
  readonly attempted: readonly Stamp[];
  /** The longest lifetime that any server of this mesh has signed with, as far as is known. */
  readonly ttlMaxSeconds: number;
  /** When it was found that another server has had the trust, Unix ms, while the log does not say so yet; 0 else. */
  readonly adoptedMs: number;
  /** Holders of the Lease that this directory was: in whose name it wrote the Secret last, then those in whose name it was about to. */
  readonly holders: readonly string[];
}

export function encodeKnownSecret(known: KnownSecret): string {
  return JSON.stringify(known);
}

/** @throws StoreError: with another name, or nothing known, this directory would take itself for another one */
export function parseKnownSecret(text: string): KnownSecret {
  const object = objectIn(text);
  const { writer, lineage, attempted, ttlMaxSeconds, adoptedMs, holders = [], ...seen } = object;
  if (
    typeof writer === "string" &&
    typeof lineage === "string" &&
    isStamp(seen) &&
    isStamps(attempted) &&
    isCount(ttlMaxSeconds) &&
    isCount(adoptedMs) &&
    isTexts(holders)
  ) {
    const { epoch, digest } = seen;
    return { writer, lineage, epoch, digest, attempted, ttlMaxSeconds, adoptedMs, holders };
  }
  throw unreadable();
}

function objectIn(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value)) return value;
  } catch (cause) {
    throw unreadable(cause);
  }
  throw unreadable();
}

function isStamps(value: unknown): value is readonly Stamp[] {
  return Array.isArray(value) && value.every(isStamp);
}

function isStamp(value: unknown): value is Stamp {
  return isJsonObject(value) && isCount(value["epoch"]) && typeof value["digest"] === "string";
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function unreadable(cause?: unknown): StoreError {
  const message = "what the data directory knows of the Secret of its trust cannot be read";
  return new StoreError("store-unreadable", message, {
    cause,
    hint: "restore it from a backup, or start with an empty --data-dir: it takes over what the Secret has",
  });
}
