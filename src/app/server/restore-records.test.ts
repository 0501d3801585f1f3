/** Until when what is in no entry of the log may be valid, and on which roots it can hang. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sampleEvent } from "../../../test/support/log-entries.ts";
import { encodeEntry } from "../../core/log/entry-codec.ts";
import { encodeRestored } from "../../core/log/restored.ts";
import type { StoredEntry } from "../../edge/log/log-reader.ts";
import { lostUntilMs } from "./restore-records.ts";

function restoredAt(timeMs: number, possibleUntilMs: number): StoredEntry {
  const detail = encodeRestored({ from: 1, to: 1, checkpoint: "", possibleUntilMs });
  return { index: 1, data: encodeEntry(sampleEvent({ type: "restored", timeMs, detail })) };
}

describe("what is in no entry of the log", () => {
  it("ends with the last of it", () => {
    assert.equal(lostUntilMs([]), 0);
    assert.equal(lostUntilMs([restoredAt(1_000, 9_000), restoredAt(2_000, 8_000)]), 9_000);
  });

  it("hangs on no root that was made after the log said that it was lost", () => {
    const restores = [restoredAt(1_000, 9_000), restoredAt(2_000, 8_000)];
    assert.equal(lostUntilMs(restores, 1_000), 9_000);
    assert.equal(lostUntilMs(restores, 1_500), 8_000);
    assert.equal(lostUntilMs(restores, 2_001), 0);
  });

  it("is nothing that an event without its numbers speaks of", () => {
    const data = encodeEntry(sampleEvent({ type: "restored", detail: "{}" }));
    assert.equal(lostUntilMs([{ index: 1, data }]), 0);
  });
});
