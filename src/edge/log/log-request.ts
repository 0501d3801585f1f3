/** Entries that are written together or not at all, and how they become the bytes of a group. */

import { encodeEntry } from "../../core/log/entry-codec.ts";
import type { Entry } from "../../core/log/entry.ts";
import type { Group } from "./log-protocol.ts";

interface EncodedEntry {
  readonly entry: Entry;
  readonly bytes: Uint8Array;
}

export interface LogRequest {
  readonly entries: readonly EncodedEntry[];
  /** Those of them that are results: they have to get into the log some time. */
  readonly results: readonly EncodedEntry[];
  readonly intents: number;
  readonly bytes: number;
  /** The index of the first entry. */
  readonly done: PromiseWithResolvers<number>;
}

/** @throws LogError `log-entry-malformed`, `log-entry-too-large` */
export function logRequest(entries: readonly Entry[]): LogRequest {
  return requestOf(entries.map((entry) => ({ entry, bytes: encodeEntry(entry) })));
}

/** A result that could not be written, to be written with what comes next. Nobody waits for it. */
export function retryOf(result: EncodedEntry): LogRequest {
  const request = requestOf([result]);
  request.done.promise.catch(() => {});
  return request;
}

function requestOf(entries: readonly EncodedEntry[]): LogRequest {
  return {
    entries,
    results: entries.filter(({ entry }) => entry.kind === "result"),
    intents: entries.filter(({ entry }) => entry.kind === "intent").length,
    bytes: entries.reduce((sum, { bytes }) => sum + bytes.length, 0),
    done: Promise.withResolvers(),
  };
}

/**
 * In one buffer, so that a thread takes it over whole. What was made before the entry that it follows gets the time of
 * that one: the log's time never goes back.
 */
export function groupOf(
  requests: readonly LogRequest[],
  lastTimeMs: number,
): { readonly group: Group; readonly lastTimeMs: number } {
  const bytes = new Uint8Array(requests.reduce((sum, request) => sum + request.bytes, 0));
  const lengths: number[] = [];
  let offset = 0;
  let timeMs = lastTimeMs;
  for (const { entry, bytes: encoded } of requests.flatMap(({ entries }) => entries)) {
    timeMs = Math.max(timeMs, entry.timeMs);
    bytes.set(entry.timeMs === timeMs ? encoded : encodeEntry({ ...entry, timeMs }), offset);
    lengths.push(encoded.length);
    offset += encoded.length;
  }
  const counts = requests.map(({ entries }) => entries.length);
  return { group: { requests: counts, lengths, bytes }, lastTimeMs: timeMs };
}
