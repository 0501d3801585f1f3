/**
 * A server that ended between the log and the store is made up for: the denial's event has all that the denial had, and the
 * digest of the list that comes of it. A removal is not: whoever is still denied can be let in again by the operator.
 */

import { equalBytes } from "../../../core/bytes.ts";
import type { DenyList } from "../../../core/deny/deny-list.ts";
import type { DenyTarget } from "../../../core/deny/deny-target.ts";
import { decodeEntry } from "../../../core/log/entry-codec.ts";
import type { EventEntry } from "../../../core/log/entry.ts";
import type { LogStore } from "../../../edge/log/log-store.ts";
import type { StoredDenials } from "../../../edge/store/denials.ts";
import { StoreError } from "../../../edge/store/store.ts";

/** On the wire: most entries need not be read. */
const eventKind = 4;

/**
 * @param from the first entry that the store has not seen
 * @throws StoreError `store-old` where more is missing than one end of a server explains
 */
export function redoDenials({ reader }: LogStore, from: number, stored: StoredDenials): void {
  const before = stored.load();
  let list = before;
  for (const { index, data } of reader.entries(from, reader.head().size - from)) {
    if (data[1] !== eventKind) continue;
    const entry = decodeEntry(data);
    if (entry.kind !== "event" || entry.type !== "denied") continue;
    const { number, until } = detailOf(entry);
    if (number <= list.sequence) continue;
    const next = list === before ? redone(list, entry, until) : undefined;
    if (next === undefined || !equalBytes(next.digest(), entry.digest)) {
      const message = `entry ${index} of the log is denial ${number}, and portcullis.db knows ${before.sequence} at most: it is an old one`;
      const hint = "restore both files from one backup: `portcullis restore`";
      throw new StoreError("store-old", message, { hint });
    }
    list = next;
  }
  if (list !== before) stored.replace(before, list);
}

function redone(
  list: DenyList,
  { subject, reason, operator, timeMs }: EventEntry,
  untilMs: number | undefined,
): DenyList {
  const target: DenyTarget = subject.startsWith("spiffe://")
    ? { kind: "identity", id: subject }
    : { kind: "serial", serialHex: subject };
  const denial = { target, reason, operator, createdAtMs: timeMs };
  return list.add(untilMs === undefined ? denial : { ...denial, untilMs });
}

function detailOf({ detail }: EventEntry): { number: number; until: number | undefined } {
  const { number, until }: { number?: unknown; until?: unknown } = JSON.parse(detail);
  return {
    number: typeof number === "number" ? number : Infinity,
    until: typeof until === "string" ? Date.parse(until) : undefined,
  };
}
