/** What a certificate costs on the disk, and what it costs to write one. */

import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { LOG_NOW_MS, sampleIntent, sampleResult } from "../../../test/support/log-entries.ts";
import { openStore } from "../../../test/support/log-store.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import type { IntentEntry } from "../../core/log/entry.ts";
import { encodeEntry } from "../../core/log/entry-codec.ts";

const certificates = 20_000;
const bytesMax = 700;

/** As a random 128-bit serial is written. */
function randomSerial(): Uint8Array {
  const serial = new Uint8Array(randomBytes(16));
  serial[0] = 0x40 | ((serial[0] ?? 0) & 0x3f);
  return serial;
}

function intentOf(number: number): IntentEntry {
  const { evidence } = sampleIntent();
  return sampleIntent({
    requestId: randomUUID(),
    serial: randomSerial(),
    identity: `spiffe://cluster.local/ns/team-${number % 50}/sa/service-${number % 1_000}`,
    keyDigest: new Uint8Array(randomBytes(32)),
    tbsDigest: new Uint8Array(randomBytes(32)),
    root: "4d".repeat(32),
    evidence: { ...evidence, tokenId: randomUUID(), podUid: randomUUID() },
  });
}

describe("the log", () => {
  it(`takes at most ${bytesMax} bytes for a certificate, with everything`, async (test) => {
    using directory = temporaryDirectory();
    let encoded = 0;
    {
      await using store = await openStore(directory.path);
      for (let number = 0; number < certificates; number += 100) {
        const intents = Array.from({ length: 100 }, (_, place) => intentOf(number + place));
        const { firstIndex } = await store.writer.append(intents);
        const results = intents.map(({ serial }, place) =>
          sampleResult({ serial, intentIndex: firstIndex + place }),
        );
        await store.writer.append(results);
        encoded += [...intents, ...results].reduce(
          (sum, each) => sum + encodeEntry(each).length,
          0,
        );
      }
    }
    const bytes = statSync(join(directory.path, "log.db")).size / certificates;
    test.diagnostic(
      `${bytes.toFixed(0)} bytes, ${(encoded / certificates).toFixed(0)} of them entries`,
    );
    assert.ok(bytes <= bytesMax, `${bytes} bytes for a certificate`);
  });

  it("costs less for an entry the more come together", async (test) => {
    using directory = temporaryDirectory();
    await using store = await openStore(directory.path);
    for (const size of [1, 8, 32]) {
      const groups = Math.ceil(200 / size);
      const intents = Array.from({ length: groups * size }, (_, number) => intentOf(number));
      const started = performance.now();
      for (let first = 0; first < intents.length; first += size) {
        const group = intents.slice(first, first + size);
        await Promise.all(group.map((intent) => store.writer.append([intent])));
      }
      const us = ((performance.now() - started) * 1_000) / intents.length;
      test.diagnostic(`in groups of ${size}: ${us.toFixed(0)} us for an entry`);
    }
    assert.equal(store.reader.certificates.page({ expiresAfterMs: LOG_NOW_MS }).next, undefined);
  });
});
