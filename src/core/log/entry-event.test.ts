import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleEvent } from "../../../test/support/log-entries.ts";
import { decodeEntry, encodeEntry } from "./entry-codec.ts";
import type { EventType } from "./entry.ts";

/** docs/log.md, "Event". Its place after version, kind and time. */
const numbers: readonly EventType[] = [
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

test("gives each type of event its number for ever", () => {
  for (const [index, type] of numbers.entries()) {
    const entry = sampleEvent({ type });
    const bytes = encodeEntry(entry);
    assert.equal(bytes[8], index + 1, type);
    assert.deepEqual(decodeEntry(bytes), entry);
  }
});
