import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, it } from "node:test";
import { LOG_NOW_MS, sampleEvent } from "../../../test/support/log-entries.ts";
import {
  addCertificates,
  auditOf,
  logOrigin,
  logVerifier,
  openStore,
} from "../../../test/support/log-store.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { openCheckpoint, signCheckpoint, type Checkpoint } from "../../core/log/checkpoint.ts";
import type { EventEntry } from "../../core/log/entry.ts";
import { LogError } from "../../core/log/log-error.ts";
import { noteSigner, noteVerifier } from "../../core/log/note-key.ts";
import { encodeRestored } from "../../core/log/restored.ts";
import { auditLog, auditSteps, type LogAudit } from "./log-audit.ts";
import type { LogFault } from "./log-fault.ts";

/** 700 certificates, closed. */
const source = temporaryDirectory();

before(async () => {
  await using store = await openStore(source.path);
  await addCertificates(store, 0, 700);
});
after(() => source[Symbol.dispose]());

function copyOfSource(): Disposable & { readonly path: string } {
  const copy = temporaryDirectory();
  cpSync(source.path, copy.path, { recursive: true });
  return copy;
}

describe("an audit", () => {
  it("counts what is in the log", () => {
    const { fault, summary, checkpoint } = auditOf(source.path);
    assert.equal(fault, undefined);
    assert.equal(checkpoint.size, 1_401);
    assert.deepEqual(summary.counts, { intent: 700, result: 700, refusals: 0, event: 1 });
  });

  it("takes no log for that of another key", () => {
    const { publicKey } = generateKeyPairSync("ed25519");
    assert.throws(
      () => auditLog(source.path, [noteVerifier(logOrigin, publicKey)]),
      (error) => error instanceof LogError && error.code === "log-note-unverified",
    );
  });

  const faults: readonly (readonly [string, LogFault["code"], number])[] = [
    ["DELETE FROM entries WHERE idx = 300", "entry-missing", 300],
    ["UPDATE entries SET data = x'ff' WHERE idx = 300", "entry-malformed", 300],
    [
      "UPDATE entries SET data = CAST(substr(data, 1, length(data) - 1) || x'58' AS BLOB) WHERE idx = 300",
      "entry-changed",
      300,
    ],
    ["UPDATE entries SET data = x'ff' WHERE idx = 1000", "entry-malformed", 1_000],
    ["UPDATE certificates SET serial = x'01' WHERE intent = 300", "index-wrong", 256],
    ["UPDATE certificates SET outcome = 1 WHERE intent = 300", "index-wrong", 256],
    ["UPDATE certificates SET result = NULL WHERE intent = 300", "index-wrong", 1_401],
    ["UPDATE certificates SET not_after_s = 5 WHERE intent = 300", "index-wrong", 256],
    ["UPDATE certificates SET identity = 2 WHERE intent = 300", "index-wrong", 256],
    ["DELETE FROM certificates WHERE intent = 300", "index-wrong", 256],
    ["DELETE FROM authorities", "index-wrong", 0],
    ["UPDATE certificates SET intent = 1000 WHERE intent = 300", "index-wrong", 256],
    ["DELETE FROM tiles WHERE idx = 1", "tile-wrong", 1_401],
    ["UPDATE tiles SET root = zeroblob(32) WHERE idx = 1", "tile-wrong", 1_401],
    ["UPDATE tiles SET hashes = zeroblob(8192) WHERE idx = 1", "tile-wrong", 1_401],
  ];
  for (const [sql, code, index] of faults) {
    it(`says ${code} after ${sql}`, () => {
      using copy = copyOfSource();
      {
        using database = new DatabaseSync(join(copy.path, "log.db"));
        database.exec(sql);
      }
      const { fault } = auditOf(copy.path);
      assert.deepEqual({ code: fault?.code, index: fault?.index }, { code, index });
    });
  }

  it("finds an entry that was exchanged for another one that could be", () => {
    using copy = copyOfSource();
    {
      using database = new DatabaseSync(join(copy.path, "log.db"));
      const swap =
        "UPDATE entries SET data = (SELECT data FROM entries WHERE idx = ?) WHERE idx = ?";
      database.prepare(swap).run(1_400, 0);
    }
    const { fault } = auditOf(copy.path);
    assert.equal(fault?.code, "result-without-intent");
  });

  it("finds every page that was overwritten", () => {
    const whole = readFileSync(join(source.path, "log.db"));
    using copy = copyOfSource();
    for (let at = 0; at < whole.length; at += 4_096) {
      writeFileSync(join(copy.path, "log.db"), Buffer.from(whole).fill(0xa5, at, at + 4_096));
      let found: unknown;
      try {
        found = auditOf(copy.path).fault;
      } catch (error) {
        assert.ok(error instanceof LogError, String(error));
        found = error;
      }
      assert.ok(found !== undefined, `page ${at / 4_096} was overwritten`);
    }
  });
});

function auditSince(path: string, since: Checkpoint | undefined): LogAudit {
  const steps = auditSteps(path, { verifiers: [logVerifier], since });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

async function headOf(path: string): Promise<{ readonly note: string; readonly at: Checkpoint }> {
  await using store = await openStore(path);
  const { checkpoint: note } = store.reader.head();
  return { note, at: openCheckpoint(note, [logVerifier]) };
}

describe("an audit since an older checkpoint", () => {
  it("finds that the log goes on from it, from any there was", async () => {
    using copy = copyOfSource();
    const { at: old } = await headOf(copy.path);
    await using store = await openStore(copy.path);
    for (const first of [1_000, 2_000, 3_000]) {
      assert.equal(auditSince(copy.path, old).fault, undefined);
      await addCertificates(store, first, 100);
    }
  });

  it("finds a log that was rolled back, and one that went another way", async () => {
    using copy = copyOfSource();
    {
      await using store = await openStore(copy.path);
      await addCertificates(store, 1_000, 100);
    }
    const { at } = await headOf(copy.path);
    using older = copyOfSource();
    assert.equal(auditSince(older.path, at).fault?.code, "rolled-back");
    await using store = await openStore(older.path);
    await addCertificates(store, 2_000, 200);
    const { fault } = auditSince(older.path, at);
    assert.deepEqual([fault?.code, fault?.index], ["forked", 1_801]);
  });
});

describe("an audit of alarms", () => {
  const alarm = (held: string, detail: object = {}): EventEntry =>
    sampleEvent({
      type: "alarm",
      subject: "spiffe://cluster.local/ns/default/sa/web",
      reason: "log-rollback",
      detail: JSON.stringify({ held, ...detail }),
    });

  /** A copy that was rolled back and went on, and the checkpoint that it has lost. */
  async function rolledBack(): Promise<
    ReturnType<typeof copyOfSource> & { readonly note: string }
  > {
    using ahead = copyOfSource();
    {
      await using store = await openStore(ahead.path);
      await addCertificates(store, 1_000, 100);
    }
    const { note } = await headOf(ahead.path);
    const copy = copyOfSource();
    await using store = await openStore(copy.path);
    await addCertificates(store, 2_000, 300);
    return { ...copy, note };
  }

  it("takes a checkpoint that the log has signed and does not go on from for a proof", async () => {
    using copy = await rolledBack();
    {
      await using store = await openStore(copy.path);
      await store.writer.append([alarm(copy.note)]);
    }
    const { fault, alarms } = auditOf(copy.path);
    assert.deepEqual([fault?.code, fault?.index, alarms.length], ["forked", 2_001, 1]);
  });

  it("takes an alarm without such a checkpoint for a claim", async () => {
    using copy = copyOfSource();
    const { note } = await headOf(copy.path);
    const strangers = signCheckpoint(
      9_999,
      new Uint8Array(32),
      noteSigner(logOrigin, generateKeyPairSync("ed25519").privateKey),
    );
    {
      await using store = await openStore(copy.path);
      await store.writer.append([
        alarm(note),
        alarm(""),
        alarm("not a note"),
        alarm(strangers),
        sampleEvent({ type: "alarm", detail: "{" }),
        sampleEvent({ type: "alarm", detail: "null" }),
        sampleEvent({ type: "alarm", detail: '{"held":7}' }),
      ]);
    }
    const { fault, alarms } = auditOf(copy.path);
    assert.deepEqual([fault, alarms.length], [undefined, 7]);
  });

  it("lets a restore that the log admits explain what was lost, and nothing else", async () => {
    using copy = await rolledBack();
    const at = openCheckpoint(copy.note, [logVerifier]);
    const restored = (from: number, to: number): EventEntry => {
      const range = { from, to, checkpoint: copy.note, possibleUntilMs: LOG_NOW_MS };
      return sampleEvent({ type: "restored", detail: encodeRestored(range) });
    };
    await using store = await openStore(copy.path);
    await store.writer.append([alarm(copy.note), restored(at.size, at.size + 9)]);
    assert.equal(auditOf(copy.path).fault?.code, "forked");
    await store.writer.append([restored(1_401, at.size)]);
    const { fault, restores, sinceRestored } = auditSince(copy.path, at);
    assert.deepEqual([fault, restores.length, sinceRestored?.from], [undefined, 2, 1_401]);
    const newer = openCheckpoint(store.reader.head().checkpoint, [logVerifier]);
    await store.writer.append([restored(1_401, 9_000)]);
    const since = auditSince(copy.path, newer);
    assert.deepEqual([since.fault, since.sinceRestored], [undefined, undefined]);
  });

  it("finds a restored event that does not say what was lost", async () => {
    using copy = copyOfSource();
    {
      await using store = await openStore(copy.path);
      await store.writer.append([sampleEvent({ type: "restored", detail: "everything" })]);
    }
    const { fault } = auditOf(copy.path);
    assert.deepEqual([fault?.code, fault?.index], ["restored-wrong", 1_401]);
  });
});

describe("an audit of a pruned log", () => {
  const laterMs = LOG_NOW_MS + 10 * 86_400_000;

  it("holds what is missing to the events, also where those were pruned themselves", async () => {
    using copy = copyOfSource();
    await using store = await openStore(copy.path);
    for (let round = 1; round <= 4; round++) {
      const timeMs = laterMs + round * 86_400_000 * 2;
      await store.writer.prune(timeMs, timeMs, "ann");
      const { fault, summary } = auditOf(copy.path);
      assert.equal(fault, undefined);
      assert.deepEqual(summary.skipped, [{ start: 0, end: store.reader.head().prunedTo }]);
      await addCertificates(store, round * 1_000, 300, timeMs);
    }
    assert.ok(store.reader.head().prunedTo > 2_000);
  });

  it("begins again when entries are pruned in the middle of it", async () => {
    using directory = temporaryDirectory();
    await using store = await openStore(directory.path);
    for (let first = 0; first < 6_000; first += 500) await addCertificates(store, first, 500);
    const steps = auditSteps(directory.path, { verifiers: [logVerifier] });
    const read: number[] = [];
    for (;;) {
      const step = steps.next();
      if (step.done === true) {
        const { fault, summary } = step.value;
        assert.equal(fault, undefined);
        assert.deepEqual(summary.skipped, [{ start: 0, end: store.reader.head().prunedTo }]);
        break;
      }
      read.push(step.value);
      if (read.length === 2) await store.writer.prune(laterMs, laterMs);
    }
    assert.deepEqual(read.slice(0, 4), [0, 4_096, 8_192, 0]);
  });

  const changes: readonly (readonly [string, string])[] = [
    ["entries that no event names", "UPDATE head SET pruned_to = 1536"],
    ["entries that were put back", "INSERT INTO entries SELECT idx, data FROM kept.entries"],
  ];
  for (const [what, sql] of changes) {
    it(`finds ${what}`, async () => {
      using copy = copyOfSource();
      {
        await using store = await openStore(copy.path);
        await store.writer.prune(laterMs, laterMs);
        await addCertificates(store, 5_000, 300, laterMs);
      }
      {
        using database = new DatabaseSync(join(copy.path, "log.db"));
        database.exec(`ATTACH '${join(source.path, "log.db")}' AS kept`);
        if (sql.startsWith("INSERT")) database.exec(`${sql} WHERE idx < 1280`);
        else {
          database.exec(`${sql}; DELETE FROM entries WHERE idx < 1536`);
          database.exec("DELETE FROM certificates WHERE intent < 1536");
        }
      }
      assert.ok(auditOf(copy.path).fault !== undefined);
    });
  }

  for (const detail of ["", "{}", '{"start":0,"end":5000}', '{"start":256,"end":512}']) {
    it(`finds a pruned event that says ${JSON.stringify(detail)}`, async () => {
      using copy = copyOfSource();
      {
        await using store = await openStore(copy.path);
        await store.writer.append([sampleEvent({ type: "pruned", detail })]);
      }
      assert.equal(auditOf(copy.path).fault?.code, "pruned-wrong");
    });
  }
});
