/**
 * Entries as bytes, and back (docs/log.md, "Entries"). Every value has exactly one encoding, and every accepted encoding is
 * that of its value: an entry is what was hashed, so nothing of it may be read in two ways.
 */

import type { Entry, Outcome, RefusalsEntry, ResultEntry } from "./entry.ts";
import { readEvent, writeEvent } from "./entry-event.ts";
import { namesMore, readIntent, writeIntent } from "./entry-intent.ts";
import { readDigest, readSerial, writeDigest, writeSerial } from "./entry-parts.ts";
import { EntryReader } from "./entry-reader.ts";
import { IDENTITY_BYTES_MAX, malformed } from "./entry-wire.ts";
import { EntryWriter } from "./entry-writer.ts";
import { LogError } from "./log-error.ts";

const VERSION = 1;
/** Of an intent that names its root or its agent, and of nothing else. */
const NAMING_VERSION = 2;
/** Milliseconds since 1970; enough until the year 10889. */
const TIME_OCTETS = 6;
const INDEX_OCTETS = 6;
const COUNT_OCTETS = 4;

/** The octet of each is its place, from 1. A new one goes to the end. */
const kinds: readonly Entry["kind"][] = ["intent", "result", "refusals", "event"];
const outcomes: readonly Outcome[] = ["signed", "failed", "unknown"];
/** One for all: encoding is synchronous. */
const writer = new EntryWriter();

/** @throws LogError `log-entry-malformed` */
export function encodeEntry(entry: Entry): Uint8Array {
  writer.reset();
  writer.integer("version", versionOf(entry), 1);
  writer.choice("kind", entry.kind, kinds);
  writer.integer("timeMs", entry.timeMs, TIME_OCTETS);
  switch (entry.kind) {
    case "intent":
      writeIntent(writer, entry);
      break;
    case "result":
      writeResult(entry);
      break;
    case "refusals":
      writeRefusals(entry);
      break;
    case "event":
      writeEvent(writer, entry);
      break;
  }
  return writer.finish();
}

/** @throws LogError `log-entry-malformed`, `log-entry-too-large`, `log-entry-version` */
export function decodeEntry(bytes: Uint8Array): Entry {
  const reader = new EntryReader(bytes);
  const version = reader.integer("version", 1);
  if (version !== VERSION && version !== NAMING_VERSION) {
    throw new LogError("log-entry-version", `expected version 1 or 2, got ${version}`, {
      hint: "a newer release wrote this log; read it with that one",
    });
  }
  const kind = reader.choice("kind", kinds);
  if (version === NAMING_VERSION && kind !== "intent") {
    throw malformed("version", "1 of what is no intent", `${version}`);
  }
  const entry = bodies[kind](reader, reader.integer("timeMs", TIME_OCTETS), version);
  reader.expectEnd();
  return entry;
}

function versionOf(entry: Entry): number {
  return entry.kind === "intent" && namesMore(entry) ? NAMING_VERSION : VERSION;
}

type ReadBody = (reader: EntryReader, timeMs: number, version: number) => Entry;

const bodies: Readonly<Record<Entry["kind"], ReadBody>> = {
  intent: readIntent,
  result: readResult,
  refusals: readRefusals,
  event: readEvent,
};

function writeResult(entry: ResultEntry): void {
  writer.integer("intentIndex", entry.intentIndex, INDEX_OCTETS);
  writeSerial(writer, entry.serial);
  writer.choice("outcome", entry.outcome, outcomes);
  writeDigest(writer, "certificateDigest", entry.certificateDigest);
  writer.name("reason", entry.reason);
}

function readResult(reader: EntryReader, timeMs: number): ResultEntry {
  return {
    kind: "result",
    timeMs,
    intentIndex: reader.integer("intentIndex", INDEX_OCTETS),
    serial: readSerial(reader),
    outcome: reader.choice("outcome", outcomes),
    certificateDigest: readDigest(reader, "certificateDigest"),
    reason: reader.name("reason"),
  };
}

function writeRefusals(entry: RefusalsEntry): void {
  writer.text("caller", entry.caller, IDENTITY_BYTES_MAX);
  writer.name("address", entry.address);
  writer.name("reason", entry.reason);
  writer.integer("count", entry.count, COUNT_OCTETS);
  writer.integer("firstMs", entry.firstMs, TIME_OCTETS);
  writer.integer("lastMs", entry.lastMs, TIME_OCTETS);
}

function readRefusals(reader: EntryReader, timeMs: number): RefusalsEntry {
  return {
    kind: "refusals",
    timeMs,
    caller: reader.text("caller", IDENTITY_BYTES_MAX),
    address: reader.name("address"),
    reason: reader.name("reason"),
    count: reader.integer("count", COUNT_OCTETS),
    firstMs: reader.integer("firstMs", TIME_OCTETS),
    lastMs: reader.integer("lastMs", TIME_OCTETS),
  };
}
