/** The first start after a restore, on a log of its own: what it records, and that an agent with a newer checkpoint accepts it. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pino } from "pino";
import type { LogEvent } from "../../src/app/server/log/log-keeper.ts";
import { Restoration, type RestorationDependencies } from "../../src/app/server/restoration.ts";
import { RestoreRecords } from "../../src/app/server/restore-records.ts";
import type { RestoreMarker } from "../../src/core/backup/restore-marker.ts";
import type { KnownCheckpoint } from "../../src/core/backup/restored-start.ts";
import { openCheckpoint } from "../../src/core/log/checkpoint.ts";
import { decodeEntry } from "../../src/core/log/entry-codec.ts";
import { encodeVerifierKey } from "../../src/core/log/note-key.ts";
import { parseRestored, type RestoredRange } from "../../src/core/log/restored.ts";
import { decideWitness, type WitnessState } from "../../src/core/log/witness.ts";
import { writeMarker } from "../../src/edge/backup/restore-marker-file.ts";
import type { StoredEntry } from "../../src/edge/log/log-reader.ts";
import type { LogStore } from "../../src/edge/log/log-store.ts";
import { LOG_NOW_MS, sampleEvent } from "../support/log-entries.ts";
import { addCertificates, logOrigin, logVerifier, openStore } from "../support/log-store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

interface Rig extends AsyncDisposable {
  readonly log: LogStore;
  readonly dataDir: string;
  /** Of the log as the backup has it. */
  readonly backupSize: number;
  /** What agents know of entries that are lost. */
  readonly lost: readonly KnownCheckpoint[];
  readonly begin: (changes?: Partial<RestorationDependencies>) => Promise<Restoration>;
  readonly mark: (changes?: Partial<RestoreMarker>) => Promise<void>;
  readonly records: () => readonly RestoredRange[];
  readonly places: () => readonly StoredEntry[];
}

const headOf = (log: LogStore): KnownCheckpoint => {
  const { checkpoint: note } = log.reader.head();
  return { note, checkpoint: openCheckpoint(note, [logVerifier]) };
};

/** A log of 61 entries; agents have seen one of the same key that went on. */
async function startRig(): Promise<Rig> {
  await using owned = new AsyncDisposableStack();
  const [dataDir, other] = [
    owned.use(temporaryDirectory()).path,
    owned.use(temporaryDirectory()).path,
  ];
  const log = owned.use(await openStore(dataDir));
  await addCertificates(log, 0, 30);
  const lost: KnownCheckpoint[] = [];
  {
    await using lostLog = await openStore(other);
    await addCertificates(lostLog, 0, 30);
    for (const first of [100, 200]) {
      await addCertificates(lostLog, first, 7);
      lost.push(headOf(lostLog));
    }
  }
  const backup = headOf(log);
  const record = async (event: LogEvent): Promise<void> => {
    const whole = { subject: "", operator: "", detail: "", ...event };
    await log.writer.append([sampleEvent({ timeMs: LOG_NOW_MS, ...whole })]);
  };
  let places: string | undefined;
  const records = new RestoreRecords({
    reader: log.reader,
    recall: () => places,
    remember: (text) => void (places = text),
  });
  const rest = owned.move();
  return {
    log,
    dataDir,
    backupSize: backup.checkpoint.size,
    lost,
    begin: (changes = {}) =>
      Restoration.begin({
        dataDir,
        verifier: logVerifier,
        record,
        records,
        onRestored: () => {},
        maxTtlMs: () => 86_400_000,
        waitMs: 300,
        log: pino({ level: "silent" }),
        ...changes,
      }),
    mark: (changes = {}) =>
      writeMarker(dataDir, {
        restoredAtMs: LOG_NOW_MS,
        operator: "alice",
        backupAtMs: LOG_NOW_MS - 1_000,
        checkpoint: backup.note,
        newest: "",
        longestLifeMs: 0,
        ...changes,
      }),
    places: () => records.list(),
    records: () =>
      [...log.reader.entries(0, 1_000)].flatMap(({ data }) => {
        const entry = decodeEntry(data);
        return entry.kind === "event" && entry.type === "restored"
          ? [parseRestored(entry.detail)]
          : [];
      }),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

const settled = (
  restoration: Restoration,
  newestSeen: () => KnownCheckpoint | undefined,
): Promise<void> => new Promise((resolve) => restoration.hear({ newestSeen, onSettled: resolve }));

const hasMarker = ({ dataDir }: Rig): boolean => existsSync(join(dataDir, "restore.json"));

describe("the first start", () => {
  it("after a restore raises what agents have to believe, before the log says so, and a second one does not", async () => {
    await using rig = await startRig();
    await rig.mark();
    let raised = 0;
    const onRestored = (): void => {
      raised += 1;
      assert.equal(rig.records().length, 0);
    };
    for (const _ of [1, 2]) (await rig.begin({ onRestored }))[Symbol.dispose]();
    assert.equal(raised, 1);
  });

  it("of a directory that was not restored changes nothing", async () => {
    await using rig = await startRig();
    using restoration = await rig.begin();
    assert.ok(restoration.isSettled);
    restoration.hear({ newestSeen: () => undefined, onSettled: () => assert.fail() });
    assert.equal(rig.log.reader.head().size, rig.backupSize);
  });

  it("after a restore says so in the log before anything else, and then what agents know", async () => {
    await using rig = await startRig();
    await rig.mark();
    using restoration = await rig.begin();
    assert.ok(!restoration.isSettled && hasMarker(rig));
    assert.throws(() => restoration.assertSettled(), { code: "restore-unsettled" });
    const from = rig.backupSize;
    assert.deepEqual(
      rig.records().map((record) => [record.from, record.to]),
      [[from, from]],
    );
    const seen = [...rig.lost];
    let newest: KnownCheckpoint | undefined;
    await settled(restoration, () => (newest = seen.shift() ?? newest));
    assert.ok(restoration.isSettled && !hasMarker(rig));
    restoration.assertSettled();
    const [, last] = rig.records();
    assert.deepEqual(last, {
      from,
      to: rig.lost[1]?.checkpoint.size,
      checkpoint: rig.lost[1]?.note,
      possibleUntilMs: LOG_NOW_MS + 86_400_000,
    });
  });

  it("records no more where nobody knows more", async () => {
    await using rig = await startRig();
    await rig.mark();
    using restoration = await rig.begin({ waitMs: 0 });
    await settled(restoration, () => undefined);
    assert.equal(rig.records().length, 1);
    assert.ok(!hasMarker(rig));
  });

  it("need not wait where the operator has brought what agents know", async () => {
    await using rig = await startRig();
    const newest = rig.lost[1]?.note ?? "";
    await rig.mark({ newest });
    using restoration = await rig.begin();
    assert.ok(restoration.isSettled && !hasMarker(rig));
    assert.deepEqual(
      rig.records().map(({ checkpoint }) => checkpoint),
      [newest],
    );
  });

  it("that was killed before it was settled is gone on with, and not begun anew", async () => {
    await using rig = await startRig();
    await rig.mark();
    (await rig.begin())[Symbol.dispose]();
    using restoration = await rig.begin();
    assert.equal(rig.records().length, 1);
    await settled(restoration, () => rig.lost[0]);
    assert.equal(rig.records().length, 2);
    using next = await rig.begin();
    assert.ok(next.isSettled);
    assert.deepEqual(
      rig.places().map(({ index }) => index),
      [rig.backupSize, rig.backupSize + 1],
    );
  });

  it("is not settled while the log cannot be written, and then is", async () => {
    await using rig = await startRig();
    await rig.mark();
    let failures = 2;
    using restoration = await rig.begin({
      waitMs: 0,
      record: async (event) => {
        if (event.detail?.includes(`"to":${rig.backupSize},`)) return;
        if (failures-- > 0) throw new Error("the disk is full");
      },
    });
    await settled(restoration, () => rig.lost[0]);
    assert.equal(failures, -1);
  });

  it("that is ended while it waits is not settled", async () => {
    await using rig = await startRig();
    await rig.mark();
    const restoration = await rig.begin({ waitMs: 0 });
    restoration[Symbol.dispose]();
    restoration.hear({ newestSeen: () => undefined, onSettled: () => assert.fail() });
    assert.ok(!restoration.isSettled && hasMarker(rig));
  });
});

describe("an agent", () => {
  const verifierKey = encodeVerifierKey(logVerifier);
  const holding = ({ note, checkpoint }: KnownCheckpoint): WitnessState => {
    return { verifierKey, note, checkpoint, restoredMs: -1, sinceMs: 0 };
  };

  it("that holds a checkpoint of the lost log accepts the restored one once it is recorded", async () => {
    await using rig = await startRig();
    await rig.mark();
    using restoration = await rig.begin({ waitMs: 0 });
    const [older, newest] = rig.lost;
    assert.ok(older !== undefined && newest !== undefined);
    const claim = (): Parameters<typeof decideWitness>[1] => {
      const { note, checkpoint } = headOf(rig.log);
      const { index, data: bytes } = rig.places().at(-1) ?? assert.fail();
      const proof = rig.log.reader.inclusion(index, checkpoint.size);
      const restored = { index, bytes, proof };
      return { note, verifierKey, fromSize: 0, consistency: [], restored };
    };
    const decide = (held: KnownCheckpoint): string =>
      decideWitness(holding(held), claim(), logOrigin, LOG_NOW_MS).kind;
    assert.equal(decide(newest), "alarm");
    await settled(restoration, () => newest);
    assert.equal(decide(newest), "accept");
    assert.equal(decide(older), "accept");
  });
});
