import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  LOG_NOW_MS,
  sampleEvent,
  sampleIntent,
  sampleResult,
  serialOf,
} from "../../../test/support/log-entries.ts";
import {
  addCertificates,
  auditOf,
  logKey,
  logOrigin,
  openStore,
} from "../../../test/support/log-store.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { decodeEntry } from "../../core/log/entry-codec.ts";
import { LogError, type LogErrorCode } from "../../core/log/log-error.ts";
import { RefusedEntry } from "./log-failure.ts";
import type { LogStore, LogStoreOptions } from "./log-store.ts";
import { LogThread } from "./log-thread.ts";
import { LogWriter } from "./log-writer.ts";

function isCode(code: LogErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof LogError && error.code === code;
}

const isRefused = (error: unknown): boolean => error instanceof RefusedEntry;

async function withStore(
  work: (store: LogStore, path: string) => Promise<void>,
  options: Partial<LogStoreOptions> = {},
): Promise<void> {
  using directory = temporaryDirectory();
  await using store = await openStore(directory.path, options);
  await work(store, directory.path);
  assert.equal(auditOf(directory.path).fault, undefined);
}

const intentOf = (number: number) => sampleIntent({ serial: serialOf(number) });
const emptyState = {
  failure: undefined,
  isDead: false,
  queued: 0,
  openIntents: 0,
  busySinceMs: undefined,
};

describe("a writer", () => {
  it("keeps the order in which it was told, whatever is told together", async () => {
    await withStore(async ({ writer, reader }) => {
      const sizes = Array.from({ length: 300 }, (_, index) => 1 + ((index * 7) % 5));
      const firsts: number[] = [];
      for (const [turn, size] of sizes.entries()) {
        const events = Array.from({ length: size }, (_, part) =>
          sampleEvent({ subject: `${turn}/${part}` }),
        );
        void writer.append(events).then(({ firstIndex }) => firsts.push(firstIndex));
        if (turn % 37 === 0) await writer.append([sampleEvent({ subject: `${turn}/alone` })]);
      }
      await writer.append([sampleEvent()]);
      assert.equal(firsts.length, sizes.length);
      for (const [turn, first] of firsts.entries()) {
        for (let part = 0; part < (sizes[turn] ?? 0); part++) {
          const entry = decodeEntry(reader.entry(first + part) ?? new Uint8Array());
          assert.ok(entry.kind === "event" && entry.subject === `${turn}/${part}`);
        }
      }
    });
  });

  it("writes together what is there, up to a group", async () => {
    const groupsOf = async (count: number): Promise<number> => {
      const heads = new Set<number>();
      await withStore(
        async ({ writer, reader }) => {
          const append = async (): Promise<void> => {
            await writer.append([sampleEvent()]);
            heads.add(reader.head().size);
          };
          await Promise.all(Array.from({ length: count }, append));
        },
        { limits: { groupMax: 100 } },
      );
      return heads.size;
    };
    assert.equal(await groupsOf(1), 1);
    assert.equal(await groupsOf(100), 1);
    assert.equal(await groupsOf(1_000), 10);
  });

  it("never lets the time go back", async () => {
    await withStore(async ({ writer, reader }) => {
      await writer.append([sampleEvent({ timeMs: LOG_NOW_MS + 5 })]);
      await writer.append([sampleEvent({ timeMs: LOG_NOW_MS })]);
      const times = Array.from(reader.entries(1, 10), ({ data }) => decodeEntry(data).timeMs);
      assert.deepEqual(times, [LOG_NOW_MS + 5, LOG_NOW_MS + 5]);
    });
  });

  it("refuses what contradicts the log, and writes what came with it", async () => {
    await withStore(async ({ writer, reader }) => {
      const { firstIndex } = await writer.append([intentOf(1)]);
      const result = sampleResult({ intentIndex: firstIndex, serial: serialOf(1) });
      const outcomes = await Promise.allSettled([
        writer.append([sampleEvent()]),
        writer.append([sampleEvent(), intentOf(1)]),
        writer.append([{ ...result, serial: serialOf(2) }]),
        writer.append([{ ...result, intentIndex: 0 }]),
        writer.append([result]),
        writer.append([result]),
        writer.append([intentOf(3)]),
      ]);
      assert.deepEqual(
        outcomes.map(({ status }) => status === "fulfilled"),
        [true, false, false, false, true, false, true],
      );
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") assert.ok(isRefused(outcome.reason));
      }
      assert.equal(reader.head().size, 5);
      assert.deepEqual(writer.state, { ...emptyState, openIntents: 1 });
    });
  });

  it("refuses a request of nothing, and one that is no entry, without a word to the log", async () => {
    await withStore(async ({ writer, reader }) => {
      await assert.rejects(writer.append([]), isRefused);
      const tooLong = sampleEvent({ detail: "x".repeat(4_097) });
      await assert.rejects(writer.append([sampleEvent(), tooLong]), LogError);
      assert.equal(reader.head().size, 1);
      assert.deepEqual(writer.state, emptyState);
    });
  });

  it("refuses what is too much at once, and goes on", async () => {
    const limits = { queuedMax: 3 };
    await withStore(
      async ({ writer, reader }) => {
        const appends = Array.from({ length: 5 }, () => writer.append([sampleEvent()]));
        const outcomes = await Promise.allSettled(appends);
        const rejected = outcomes.filter(({ status }) => status === "rejected");
        assert.equal(rejected.length, 2);
        for (const each of rejected) {
          assert.ok(each.status === "rejected" && isCode("log-full")(each.reason));
        }
        await writer.append([sampleEvent()]);
        assert.equal(reader.head().size, 5);
        assert.deepEqual(writer.state, emptyState);
      },
      { limits },
    );
    const bytes = { queuedBytesMax: 8_000 };
    await withStore(
      async ({ writer }) => {
        const large = sampleEvent({ detail: "x".repeat(4_000) });
        const first = writer.append([large]);
        await assert.rejects(writer.append([large]), isCode("log-full"));
        await first;
        await writer.append([large]);
      },
      { limits: bytes },
    );
  });

  it("refuses intents while too many are open, and never their results", async () => {
    await withStore(
      async ({ writer }) => {
        const { firstIndex } = await writer.append([intentOf(1), intentOf(2)]);
        await assert.rejects(writer.append([intentOf(3)]), isCode("log-full"));
        const results = [1, 2].map((number, place) =>
          writer.append([
            sampleResult({ intentIndex: firstIndex + place, serial: serialOf(number) }),
          ]),
        );
        await Promise.all(results);
        await writer.append([intentOf(3)]);
      },
      { limits: { openIntentsMax: 2, queuedMax: 2 } },
    );
  });

  it("holds up no new intents for those whose results were refused, or are no entries", async () => {
    await withStore(
      async ({ writer }) => {
        for (let round = 0; round < 10; round++) {
          const numbers = [2 * round, 2 * round + 1];
          const { firstIndex } = await writer.append(numbers.map(intentOf));
          const results = numbers.map((number, place) =>
            sampleResult({ intentIndex: firstIndex + place, serial: serialOf(number) }),
          );
          const [good, other] = results;
          assert.ok(good !== undefined && other !== undefined);
          const refused = [good, { ...other, serial: serialOf(999) }];
          const malformed = [good, { ...other, reason: "x".repeat(9_000) }];
          await assert.rejects(writer.append(round % 2 === 0 ? refused : malformed));
          assert.equal(writer.state.openIntents, 0);
        }
      },
      { limits: { openIntentsMax: 2 } },
    );
  });

  it("counts those that an earlier life left open, until each has its result", async () => {
    using directory = temporaryDirectory();
    {
      await using store = await openStore(directory.path);
      await store.writer.append([intentOf(1), intentOf(2)]);
    }
    await using store = await openStore(directory.path);
    assert.equal(store.writer.state.openIntents, 2);
    for (const [number, left] of [
      [1, 1],
      [2, 0],
    ] as const) {
      const result = sampleResult({ intentIndex: number, serial: serialOf(number) });
      await store.writer.append([result]);
      assert.equal(store.writer.state.openIntents, left);
    }
  });

  it("writes what waits before it is closed, and nothing afterwards", async () => {
    using directory = temporaryDirectory();
    const store = await openStore(directory.path);
    const last = store.writer.append([sampleEvent()]);
    await store[Symbol.asyncDispose]();
    assert.deepEqual(await last, { firstIndex: 1 });
    await assert.rejects(store.writer.append([sampleEvent()]), isCode("log-unwritable"));
    assert.equal(auditOf(directory.path).summary.size, 2);
  });
});

describe("a writer whose thread has ended", () => {
  it("writes nothing more, and says so", async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "log.db");
    const opening = { path, origin: logOrigin, signingKey: logKey, nowMs: LOG_NOW_MS };
    const [thread, end] = await LogThread.open({ ...opening, mustExist: false });
    await using writer = new LogWriter(thread, end);
    await writer.append([sampleEvent()]);
    await thread[Symbol.asyncDispose]();
    assert.ok(writer.state.isDead);
    await assert.rejects(writer.append([sampleEvent()]), isCode("log-unwritable"));
    assert.match(String(writer.state.failure?.hint), /restart the server/);
    assert.equal(auditOf(directory.path).summary.size, 2);
  });
});

describe("two writers of one log", () => {
  it("do not mix: the one that was overtaken writes nothing more", async () => {
    using directory = temporaryDirectory();
    await using first = await openStore(directory.path);
    await using second = await openStore(directory.path);
    await addCertificates(first, 0, 10);
    await assert.rejects(second.writer.append([sampleEvent()]), isCode("log-unwritable"));
    await assert.rejects(second.writer.append([sampleEvent()]), isCode("log-unwritable"));
    assert.match(String(second.writer.state.failure?.hint), /two servers/);
    await addCertificates(first, 10, 10);
    const { fault, summary } = auditOf(directory.path);
    assert.equal(fault, undefined);
    assert.equal(summary.size, 41);
  });
});
