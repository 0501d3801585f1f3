import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { LOG_NOW_MS, sampleEvent } from "../../../test/support/log-entries.ts";
import { naiveRoot, treeOf } from "../../../test/support/log-tree.ts";
import { signCheckpoint } from "./checkpoint.ts";
import { encodeEntry } from "./entry-codec.ts";
import { leafHash } from "./merkle.ts";
import { encodeVerifierKey, noteSigner, noteVerifier, type NoteSigner } from "./note-key.ts";
import { consistencyProof, inclusionProof } from "./proof.ts";
import { encodeRestored } from "./restored.ts";
import { decideWitness, type WitnessState } from "./witness.ts";
import type { LogClaim } from "./witness-claim.ts";

const origin = "cluster.local/portcullis/log";
const keys = [generateKeyPairSync("ed25519"), generateKeyPairSync("ed25519")].map(
  ({ privateKey, publicKey }) => ({
    signer: noteSigner(origin, privateKey),
    verifierKey: encodeVerifierKey(noteVerifier(origin, publicKey)),
  }),
);
const [ours, another] = keys;
assert.ok(ours !== undefined && another !== undefined);

type Log = readonly Uint8Array[];

const entryOf = (text: string): Uint8Array => encodeEntry(sampleEvent({ detail: text }));

/** Entries of one history; those of two differ from `fork` on. */
function historyOf(branch: string, size: number, fork = 0, trunk: Log = []): Log {
  const own = Array.from({ length: size }, (_, index) => entryOf(`${branch} ${index}`));
  return [...trunk.slice(0, fork), ...own.slice(fork)];
}

function noteOf(log: Log): string {
  return signCheckpoint(log.length, naiveRoot(log.map(leafHash)), (ours ?? assert.fail()).signer);
}

/** The most convincing that a server with this log can say to a witness of `fromSize` entries. */
function claimOf(log: Log, fromSize: number, restoredIndex?: number): LogClaim {
  const read = treeOf(log.map(leafHash));
  const isPossible = fromSize <= log.length;
  const bytes = restoredIndex === undefined ? undefined : log[restoredIndex];
  return {
    note: noteOf(log),
    verifierKey: ours?.verifierKey ?? "",
    fromSize,
    consistency: isPossible ? consistencyProof(fromSize, log.length, read) : [],
    ...(bytes !== undefined &&
      restoredIndex !== undefined && {
        restored: {
          index: restoredIndex,
          bytes,
          proof: inclusionProof(restoredIndex, log.length, read),
        },
      }),
  };
}

function decide(held: WitnessState | undefined, claim: LogClaim, nowMs = 1_000) {
  return decideWitness(held, claim, origin, nowMs);
}

function witnessOf(log: Log): WitnessState {
  const decision = decide(undefined, claimOf(log, 0));
  assert.equal(decision.kind, "accept");
  return decision.state;
}

function kindOf(decision: ReturnType<typeof decide>): string {
  return decision.kind === "accept" ? "accept" : decision.alarm.kind;
}

function restoredEntry(from: number, lost: Log): Uint8Array {
  const checkpoint = noteOf(lost);
  const detail = encodeRestored({ from, to: lost.length, checkpoint, possibleUntilMs: 9_000 });
  return encodeEntry(sampleEvent({ type: "restored", detail }));
}

describe("a witness", () => {
  it("follows every honest log, however it grows", () => {
    const sizes = fc.array(fc.nat(40), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(sizes, (steps) => {
        const log = historyOf("a", 400);
        let size = 0;
        let held: WitnessState | undefined;
        for (const step of steps) {
          size += step;
          const decision = decide(held, claimOf(log.slice(0, size), held?.checkpoint.size ?? 0));
          assert.equal(decision.kind, "accept");
          held = decision.state;
          assert.equal(held.checkpoint.size, size);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("never exchanges its checkpoint for one of a log that does not begin with it", () => {
    const trunk = historyOf("a", 64);
    const moves = fc.array(
      fc.record({ branch: fc.nat(2), fork: fc.nat(32), size: fc.nat(64), lie: fc.nat(3) }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(moves, (all) => {
        let held: WitnessState | undefined;
        let heldLog: Log = [];
        for (const { branch, fork, size, lie } of all) {
          const log = historyOf(`b${branch}`, size, branch === 0 ? size : fork, trunk);
          const begins = heldLog.every(
            (entry, index) => log[index] === entry || same(entry, log[index]),
          );
          const heldSize = held?.checkpoint.size ?? 0;
          // Honest, or with the proof of another size, or a proof that was tampered with.
          const claim = claimOf(log, lie === 1 ? Math.min(1, log.length) : heldSize);
          const told = lie === 2 ? { ...claim, fromSize: heldSize } : claim;
          const decision = decide(
            held,
            lie === 3 ? { ...told, consistency: told.consistency.slice(1) } : told,
          );
          if (decision.kind === "accept") {
            assert.ok(begins && log.length >= heldLog.length, "accepted another log");
            held = decision.state;
            heldLog = log;
          } else if (begins && lie === 0) {
            assert.fail(`refused an honest log: ${decision.alarm.message}`);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  const log = historyOf("a", 20);
  const held = witnessOf(log.slice(0, 10));
  const good = claimOf(log, 10);
  const table: readonly (readonly [string, string, LogClaim])[] = [
    ["accepts the same checkpoint again", "accept", claimOf(log.slice(0, 10), 10)],
    ["calls a smaller log a rollback", "log-rollback", claimOf(log.slice(0, 9), 10)],
    ["calls an empty log a rollback", "log-rollback", claimOf([], 10)],
    ["calls another log of the same size a fork", "log-fork", claimOf(historyOf("b", 10), 10)],
    ["calls another larger log a fork", "log-fork", claimOf(historyOf("b", 20, 9, log), 10)],
    ["calls a proof from another size a fork", "log-fork", claimOf(log, 9)],
    ["calls a missing proof a fork", "log-fork", { ...good, consistency: [] }],
    ["knows another key", "log-key-changed", { ...good, verifierKey: another.verifierKey }],
    ["takes no note of another key", "log-invalid", { ...good, note: noteBy(another.signer, log) }],
    ["takes no note that is none", "log-invalid", { ...good, note: "hello" }],
    ["takes no note that it could not keep", "log-invalid", { ...good, note: longNote(log) }],
    [
      "takes no event that is not in the log",
      "log-invalid",
      { ...good, restored: { index: 3, bytes: restoredEntry(5, log), proof: [] } },
    ],
    ["takes no event of another type", "log-invalid", claimOf(log, 10, 3)],
  ];
  for (const [title, expected, claim] of table) {
    it(title, () => assert.equal(kindOf(decide(held, claim)), expected));
  }

  it("pins no key of another trust domain's log", () => {
    const decision = decideWitness(undefined, claimOf(log, 0), "other.example/portcullis/log", 0);
    assert.equal(kindOf(decision), "log-invalid");
  });
});

describe("after a restore, a witness", () => {
  const lost = historyOf("a", 20);
  const backup = lost.slice(0, 8);
  const event = restoredEntry(8, lost);
  const restored = [...backup, event, ...historyOf("b", 6)];

  it("accepts the log that says what it has lost, and from then on only that", () => {
    const decision = decide(witnessOf(lost.slice(0, 15)), claimOf(restored, 15, 8), 5_000);
    assert.equal(decision.kind, "accept");
    assert.deepEqual([decision.restored?.from, decision.restored?.to], [8, 20]);
    const { sinceMs, restoredMs, checkpoint } = decision.state;
    assert.deepEqual([sinceMs, restoredMs, checkpoint.size], [5_000, LOG_NOW_MS, restored.length]);
    assert.equal(kindOf(decide(decision.state, claimOf(lost, restored.length))), "log-fork");
  });

  it("accepts it with the newest checkpoint that was known, and with none beyond", () => {
    assert.equal(kindOf(decide(witnessOf(lost), claimOf(restored, 20, 8))), "accept");
    const longer = historyOf("a", 21);
    assert.equal(kindOf(decide(witnessOf(longer), claimOf(restored, 21, 8))), "log-rollback");
  });

  it("does not take another log's newest checkpoint for its own", () => {
    const forked = historyOf("c", 20, 8, lost);
    assert.equal(kindOf(decide(witnessOf(forked), claimOf(restored, 20, 8))), "log-rollback");
  });

  it("accepts the same backup restored a second time, by an event of a later time", () => {
    const first = decide(witnessOf(lost.slice(0, 15)), claimOf(restored, 15, 8));
    assert.equal(first.kind, "accept");
    const range = {
      from: 8,
      to: restored.length,
      checkpoint: noteOf(restored),
      possibleUntilMs: 0,
    };
    const timeMs = LOG_NOW_MS + 60_000;
    const later = sampleEvent({ type: "restored", timeMs, detail: encodeRestored(range) });
    const again = [...backup, encodeEntry(later), ...historyOf("d", 3)];
    assert.equal(kindOf(decide(first.state, claimOf(again, restored.length, 8))), "accept");
    assert.equal(
      kindOf(decide(first.state, claimOf(restored.slice(0, 10), 10, 8))),
      "log-rollback",
    );
  });

  it("needs no excuse when it holds a checkpoint from before the backup", () => {
    const decision = decide(witnessOf(lost.slice(0, 8)), claimOf(restored, 8, 8));
    assert.equal(decision.kind, "accept");
    assert.deepEqual([decision.restored, decision.state.restoredMs], [undefined, LOG_NOW_MS]);
  });

  it("is not appeased by an event that it has seen when the log goes back again", () => {
    const first = decide(witnessOf(lost.slice(0, 8)), claimOf(restored, 8, 8));
    assert.equal(first.kind, "accept");
    const rolledBack = restored.slice(0, 10);
    const claim = claimOf(rolledBack, first.state.checkpoint.size, 8);
    assert.equal(kindOf(decide(first.state, claim)), "log-rollback");
  });

  it("is neither appeased nor alarmed by an event that says nothing", () => {
    const empty = { from: 8, to: 20, checkpoint: "", possibleUntilMs: 0 };
    for (const detail of ["", "{}", encodeRestored(empty)]) {
      const silent = encodeEntry(sampleEvent({ type: "restored", detail }));
      const other = [...backup, silent, ...historyOf("b", 6)];
      assert.equal(kindOf(decide(witnessOf(lost), claimOf(other, 20, 8))), "log-rollback");
      assert.equal(kindOf(decide(undefined, claimOf(other, 0, 8))), "accept");
    }
  });

  it("is neither appeased nor alarmed where the log says of another one only that it may have signed", () => {
    const range = { from: 8, to: 8, checkpoint: noteOf(backup), possibleUntilMs: 9_000 };
    const said = encodeEntry(sampleEvent({ type: "restored", detail: encodeRestored(range) }));
    const other = [...backup, said, ...historyOf("b", 6)];
    assert.equal(kindOf(decide(witnessOf(lost), claimOf(other, 20, 8))), "log-rollback");
    assert.equal(kindOf(decide(witnessOf(lost.slice(0, 9)), claimOf(other, 9, 8))), "log-fork");
    assert.equal(kindOf(decide(witnessOf(backup), claimOf(other, 8, 8))), "accept");
  });

  it("does not accept a log that is no continuation of what the backup had", () => {
    const early = witnessOf(historyOf("c", 8));
    assert.equal(kindOf(decide(early, claimOf(restored, 8, 8))), "log-fork");
  });
});

function noteBy(signer: NoteSigner, log: Log): string {
  return signCheckpoint(log.length, naiveRoot(log.map(leafHash)), signer);
}

/** With many signatures of unknown keys. */
function longNote(log: Log): string {
  const note = noteOf(log);
  const line = `— unknown ${Buffer.alloc(68).toString("base64")}\n`;
  return note + line.repeat(40);
}

function same(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && Buffer.compare(a, b) === 0;
}
