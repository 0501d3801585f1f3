/** The bytes of an event. */

import type { EventEntry, EventType } from "./entry.ts";
import { readDigest, writeDigest } from "./entry-parts.ts";
import type { EntryReader } from "./entry-reader.ts";
import { IDENTITY_BYTES_MAX } from "./entry-wire.ts";
import type { EntryWriter } from "./entry-writer.ts";

const REASON_BYTES_MAX = 1024;
const DETAIL_BYTES_MAX = 4096;

/** The octet of each is its place, from 1. A new one goes to the end. */
const eventTypes: readonly EventType[] = [
  "log-started",
  "trust-changed",
  "policy-changed",
  "command",
  "waiver",
  "denied",
  "denial-removed",
  "restored",
  "pruned",
  "clock-accepted",
  "alarm",
  "goodbye",
  "resources-changed",
  "flip-changed",
];

/** @throws LogError */
export function writeEvent(writer: EntryWriter, entry: EventEntry): void {
  writer.choice("type", entry.type, eventTypes);
  writer.name("operator", entry.operator);
  writer.text("subject", entry.subject, IDENTITY_BYTES_MAX);
  writer.text("reason", entry.reason, REASON_BYTES_MAX);
  writeDigest(writer, "digest", entry.digest);
  writer.text("detail", entry.detail, DETAIL_BYTES_MAX);
}

/** @throws LogError */
export function readEvent(reader: EntryReader, timeMs: number): EventEntry {
  return {
    kind: "event",
    timeMs,
    type: reader.choice("type", eventTypes),
    operator: reader.name("operator"),
    subject: reader.text("subject", IDENTITY_BYTES_MAX),
    reason: reader.text("reason", REASON_BYTES_MAX),
    digest: readDigest(reader, "digest"),
    detail: reader.text("detail", DETAIL_BYTES_MAX),
  };
}
