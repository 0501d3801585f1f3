import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { LOG_NOW_MS, sampleEvent } from "../../../test/support/log-entries.ts";
import {
  addCertificates,
  logKey,
  logOrigin,
  logVerifier,
  openStore,
} from "../../../test/support/log-store.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { openCheckpoint, signCheckpoint, type Checkpoint } from "../../core/log/checkpoint.ts";
import type { EventEntry } from "../../core/log/entry.ts";
import { noteSigner } from "../../core/log/note-key.ts";
import { encodeRestored } from "../../core/log/restored.ts";
import { WitnessAudit } from "./witness-audit.ts";

const signer = noteSigner(logOrigin, logKey);

/** A checkpoint that the log's key has signed, of a tree that there is not. */
function noteOf(size: number, fill: number): string {
  return signCheckpoint(size, new Uint8Array(32).fill(fill), signer);
}

function checkpointOf(note: string): Checkpoint {
  return openCheckpoint(note, [logVerifier]);
}

function alarm(held: string): EventEntry {
  return sampleEvent({ type: "alarm", reason: "log-fork", detail: JSON.stringify({ held }) });
}

function restored(from: number, to: number, checkpoint: string): EventEntry {
  const range = { from, to, checkpoint, possibleUntilMs: LOG_NOW_MS };
  return sampleEvent({ type: "restored", detail: encodeRestored(range) });
}

interface Rig extends Disposable {
  readonly database: DatabaseSync;
  readonly now: Checkpoint;
  /** Of the same log, when it was shorter. */
  readonly before: Checkpoint;
}

/** A log of 21 entries; what is audited against it are events that the tests make up. */
async function openRig(): Promise<Rig> {
  using stack = new DisposableStack();
  const { path } = stack.use(temporaryDirectory());
  await using store = await openStore(path);
  await addCertificates(store, 0, 5);
  const before = checkpointOf(store.reader.head().checkpoint);
  await addCertificates(store, 5, 5);
  const now = checkpointOf(store.reader.head().checkpoint);
  const database = new DatabaseSync(join(path, "log.db"), { readOnly: true });
  stack.defer(() => database.close());
  const rest = stack.move();
  return { database, now, before, [Symbol.dispose]: () => rest.dispose() };
}

function auditOf(events: readonly EventEntry[]): WitnessAudit {
  const audit = new WitnessAudit([logVerifier]);
  for (const [index, event] of events.entries()) {
    assert.equal(audit.take(index, event), undefined);
  }
  return audit;
}

describe("an audit of what witnesses hold", () => {
  it("keeps a proof, however many claims and repetitions come after it", async () => {
    using rig = await openRig();
    const claims = Array.from({ length: 2_000 }, () => alarm(""));
    const proof = noteOf(5, 1);
    const audit = auditOf([alarm(proof), ...claims, alarm(proof)]);
    assert.equal(audit.alarms.length, 1_024);
    const { index, code } = audit.fault(rig.database, rig.now, undefined) ?? {};
    assert.deepEqual([index, code], [0, "forked"]);
  });

  /** A restore from the backup of 4 entries, when 12 were known. */
  const lost = noteOf(12, 2);
  const verdicts: readonly (readonly [title: string, held: string, fault: string | undefined])[] = [
    ["excuses a checkpoint within what was lost", noteOf(11, 9), undefined],
    ["excuses the newest checkpoint that was lost", lost, undefined],
    ["convicts by another root at the size of the newest that was lost", noteOf(12, 3), "forked"],
    ["convicts by one that is larger than what was lost", noteOf(13, 9), "forked"],
    ["convicts by one that is larger than the log", noteOf(99, 9), "rolled-back"],
    ["convicts by one that the backup must have had", noteOf(4, 9), "forked"],
  ];
  for (const [title, held, code] of verdicts) {
    it(`after a restore ${title}, in an alarm and as the auditor's own`, async () => {
      using rig = await openRig();
      const audit = auditOf([restored(4, 12, lost), alarm(held)]);
      assert.equal(audit.fault(rig.database, rig.now, undefined)?.code, code);
      assert.equal(audit.sinceRestored, undefined);
      const other = auditOf([restored(4, 12, lost)]);
      assert.equal(other.fault(rig.database, rig.now, checkpointOf(held))?.code, code);
      assert.equal(other.sinceRestored?.from, code === undefined ? 4 : undefined);
    });
  }

  it("says nothing of a restore to whoever holds a checkpoint of after it", async () => {
    using rig = await openRig();
    const audit = auditOf([restored(4, 5_000, noteOf(5_000, 1))]);
    assert.equal(audit.fault(rig.database, rig.now, rig.before), undefined);
    assert.equal(audit.sinceRestored, undefined);
  });

  it("takes no excuse from a restored event whose checkpoint this log has not signed, or is of another size", async () => {
    using rig = await openRig();
    for (const checkpoint of ["", "x", noteOf(11, 2)]) {
      const audit = auditOf([restored(4, 12, checkpoint), alarm(noteOf(11, 9))]);
      assert.equal(audit.fault(rig.database, rig.now, undefined)?.code, "forked");
    }
  });

  it("finds the proof wherever it stands among claims", async () => {
    using rig = await openRig();
    const anyClaims = fc.array(fc.constantFrom("", "x", "{"), { maxLength: 30 });
    fc.assert(
      fc.property(anyClaims, anyClaims, (first, then) => {
        const audit = auditOf([...first, noteOf(30, 1), ...then].map(alarm));
        const fault = audit.fault(rig.database, rig.now, undefined);
        assert.deepEqual([fault?.index, fault?.code], [first.length, "rolled-back"]);
      }),
      { numRuns: 50 },
    );
  });
});
