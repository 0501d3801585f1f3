import assert from "node:assert/strict";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import {
  LOG_NOW_MS,
  sampleIntent,
  sampleResult,
  serialOf,
} from "../../../../test/support/log-entries.ts";
import { temporaryDirectory } from "../../../../test/support/temporary-directory.ts";
import { decodeEntry } from "../../../core/log/entry-codec.ts";
import { logOrigin } from "../../../core/log/checkpoint.ts";
import { noteVerifier } from "../../../core/log/note-key.ts";
import { TrustDomain } from "../../../core/spiffe/id.ts";
import { auditLog } from "../../../edge/log/log-audit.ts";
import { Store } from "../../../edge/store/store.ts";
import { openLog, type OpenedLog } from "./open-log.ts";

const trustDomain = TrustDomain.parse("cluster.local");
const nowMs = LOG_NOW_MS + 1_000;

/** Opens store and log, and closes both again. */
async function during<T>(
  dataDir: string,
  work: (opened: OpenedLog, store: Store) => T | Promise<T>,
  timeMs = nowMs,
): Promise<T> {
  using store = await Store.open(dataDir, "server");
  const opened = await openLog(store, dataDir, trustDomain, timeMs);
  await using _ = opened.log;
  return await work(opened, store);
}

describe("a server's log", () => {
  it("is begun once, under one key, and goes on under it", async () => {
    using directory = temporaryDirectory();
    const open = () =>
      during(directory.path, ({ publicKey, unknown, log }) => {
        const { size } = log.reader.head();
        return { unknown, size, key: publicKey.export({ format: "jwk" }).x };
      });
    const first = await open();
    assert.deepEqual(first, { unknown: 0, size: 1, key: first.key });
    assert.deepEqual(await open(), first);
  });

  it("closes as unknown every intent that an earlier life left open, and no other", async () => {
    using directory = temporaryDirectory();
    await during(directory.path, async ({ log: { writer } }) => {
      const serials = Array.from({ length: 300 }, (_, index) => serialOf(index));
      const intents = serials.map((serial) => sampleIntent({ timeMs: nowMs, serial }));
      const { firstIndex } = await writer.append(intents);
      const results = serials.flatMap((serial, index) =>
        index % 3 === 0
          ? [sampleResult({ timeMs: nowMs, serial, intentIndex: firstIndex + index })]
          : [],
      );
      await writer.append(results);
    });
    const publicKey = await during(directory.path, ({ unknown, publicKey, log: { reader } }) => {
      assert.equal(unknown, 200);
      assert.deepEqual(reader.certificates.open(), []);
      const left = [...reader.entries(401, 1_000)].map(({ data }) => decodeEntry(data));
      assert.equal(left.length, 200);
      for (const entry of left) {
        assert.ok(entry.kind === "result");
        assert.deepEqual([entry.outcome, entry.reason], ["unknown", "server-ended"]);
      }
      return publicKey;
    });
    assert.equal(await during(directory.path, ({ unknown }) => unknown), 0);
    const verifier = noteVerifier(logOrigin(trustDomain.name), publicKey);
    assert.equal(auditLog(directory.path, [verifier]).fault, undefined);
  });

  it("closes them at the log's time, by a clock that is behind it or ahead of it", async () => {
    for (const aheadMs of [-3_600_000, 10 * 365 * 86_400_000]) {
      using directory = temporaryDirectory();
      await during(directory.path, async ({ log: { writer } }) => {
        await writer.append([sampleIntent({ timeMs: nowMs })]);
      });
      const open = ({ log: { reader } }: OpenedLog): number =>
        decodeEntry(reader.entry(2) ?? new Uint8Array()).timeMs;
      assert.equal(await during(directory.path, open, nowMs + aheadMs), nowMs);
    }
  });

  it("that is missing is not made anew, and its key is still there for the one that is put back", async () => {
    using directory = temporaryDirectory();
    using aside = temporaryDirectory();
    const [file, copy] = [join(directory.path, "log.db"), join(aside.path, "log.db")];
    await during(directory.path, () => {});
    cpSync(file, copy);
    rmSync(file);
    await assert.rejects(
      during(directory.path, () => {}),
      { code: "log-lost" },
    );
    cpSync(copy, file);
    await during(directory.path, () => {});
  });

  it("that was never seen may be missing: the server was killed before it was begun", async () => {
    using directory = temporaryDirectory();
    {
      using store = await Store.open(directory.path, "server");
      assert.equal(store.facts.recall("log-checkpoint"), undefined);
    }
    await during(directory.path, ({ log }, store) => {
      assert.equal(store.facts.recall("log-checkpoint"), log.reader.head().checkpoint);
    });
  });

  const tampering: readonly (readonly [title: string, sql: string])[] = [
    ["a tile is missing", "DELETE FROM tiles"],
    ["a tile's hashes are others", "UPDATE tiles SET hashes = zeroblob(8192)"],
    ["a tile's root is another", "UPDATE tiles SET root = zeroblob(32)"],
    ["the last entry is another", "UPDATE entries SET data = x'00' WHERE idx = 600"],
    ["the last entry is missing", "DELETE FROM entries WHERE idx = 600"],
    ["the head is shorter", "UPDATE head SET size = 100"],
    ["the checkpoint is no note", "UPDATE head SET checkpoint = 'x'"],
  ];
  for (const [title, sql] of tampering) {
    it(`in which ${title} is refused as damaged, with what to do`, async () => {
      using directory = temporaryDirectory();
      await during(directory.path, async ({ log: { writer } }) => {
        const serials = Array.from({ length: 300 }, (_, index) => serialOf(index));
        const { firstIndex } = await writer.append(
          serials.map((serial) => sampleIntent({ serial })),
        );
        await writer.append(
          serials.map((serial, index) => sampleResult({ serial, intentIndex: firstIndex + index })),
        );
      });
      {
        using database = new DatabaseSync(join(directory.path, "log.db"));
        database.exec(sql);
      }
      await assert.rejects(
        during(directory.path, () => {}),
        (error: unknown) => {
          assert.ok(error instanceof Error && "code" in error && "hint" in error, String(error));
          assert.equal(error.code, "log-damaged", error.message);
          assert.ok(error.hint);
          return true;
        },
      );
    });
  }
});
