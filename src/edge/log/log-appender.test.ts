import assert from "node:assert/strict";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import * as fc from "fast-check";
import {
  LOG_NOW_MS,
  sampleEvent,
  sampleIntent,
  serialOf,
} from "../../../test/support/log-entries.ts";
import { auditOf, logKey, logOrigin, logVerifier } from "../../../test/support/log-store.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { openCheckpoint } from "../../core/log/checkpoint.ts";
import { encodeEntry } from "../../core/log/entry-codec.ts";
import { LogError } from "../../core/log/log-error.ts";
import { interceptDurable } from "../store/durable.ts";
import { RefusedEntry } from "./log-failure.ts";
import { openLog, type OpenedLog } from "./log-opening.ts";
import { LogReader } from "./log-reader.ts";

function open(dataDir: string): OpenedLog {
  return openLog({
    path: join(dataDir, "log.db"),
    origin: logOrigin,
    signingKey: logKey,
    nowMs: LOG_NOW_MS,
    mustExist: false,
  });
}

const eventOf = (number: number): Uint8Array => encodeEntry(sampleEvent({ subject: `${number}` }));

afterEach(() => interceptDurable(undefined));

function failCommits(): void {
  interceptDurable(() => {
    throw Object.assign(new Error("no"), { errcode: 10 });
  });
}

describe("a batch", () => {
  it("is there as a whole or not at all, whatever fails, and the tree is always that of the entries", () => {
    const step = fc.record({
      count: fc.integer({ min: 1, max: 300 }),
      fault: fc.constantFrom("none", "none", "commit", "last entry"),
    });
    const property = fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
      using directory = temporaryDirectory();
      const { database, appender } = open(directory.path);
      using _ = database;
      let size = 1;
      for (const { count, fault } of steps) {
        const batch = Array.from({ length: count }, (_, index) => eventOf(size + index));
        if (fault === "last entry") batch.push(encodeEntry(sampleEvent({ timeMs: 1 })));
        if (fault === "commit") failCommits();
        if (fault === "none") {
          const { firstIndex, checkpoint } = appender.append(batch);
          assert.equal(firstIndex, size);
          size += count;
          assert.equal(openCheckpoint(checkpoint, [logVerifier]).size, size);
        } else {
          const isExpected = fault === "commit" ? LogError : RefusedEntry;
          assert.throws(() => appender.append(batch), isExpected);
          interceptDurable(undefined);
        }
        using reader = LogReader.open(directory.path);
        assert.equal(reader.head().size, size);
      }
      const { fault, summary } = auditOf(directory.path);
      assert.equal(fault, undefined);
      assert.equal(summary.size, size);
    });
    fc.assert(property, { numRuns: 15 });
  });

  it("fills tiles of a second level", () => {
    using directory = temporaryDirectory();
    const { database, appender } = open(directory.path);
    using _ = database;
    for (let first = 1; first < 65_800; first += 5_000) {
      appender.append(Array.from({ length: 5_000 }, (_, index) => eventOf(first + index)));
    }
    const tiles = database.prepare("SELECT level, count(*) AS n FROM tiles GROUP BY level").all();
    assert.deepEqual(
      tiles.map(({ level, n }) => [level, n]),
      [
        [0, 273],
        [1, 1],
      ],
    );
    assert.equal(auditOf(directory.path).fault, undefined);
    using again = open(directory.path).database;
    assert.ok(again.isOpen);
  });

  it("whose commit failed leaves its intents for another try", () => {
    using directory = temporaryDirectory();
    const { database, appender } = open(directory.path);
    using _ = database;
    const intent = encodeEntry(sampleIntent({ serial: serialOf(1) }));
    failCommits();
    assert.throws(
      () => appender.append([intent]),
      (error) => error instanceof LogError && /EIO/.test(error.message),
    );
    interceptDurable(undefined);
    assert.equal(appender.append([intent]).firstIndex, 1);
    assert.equal(appender.state().openIntents, 1);
    assert.throws(() => appender.append([intent]), RefusedEntry);
    assert.equal(appender.state().openIntents, 1);
  });
});
