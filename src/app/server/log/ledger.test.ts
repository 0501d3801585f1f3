/** On a real log; a writer of its own only where it must fail. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import * as fc from "fast-check";
import { sampleIntent, serialOf } from "../../../../test/support/log-entries.ts";
import { openStore } from "../../../../test/support/log-store.ts";
import { temporaryDirectory } from "../../../../test/support/temporary-directory.ts";
import { decodeEntry } from "../../../core/log/entry-codec.ts";
import type { Entry } from "../../../core/log/entry.ts";
import { LogClockError } from "../../../core/log/log-clock.ts";
import { LogError } from "../../../core/log/log-error.ts";
import type { LogStore } from "../../../edge/log/log-store.ts";
import { CaCallError } from "../../../edge/rpc/ca-status.ts";
import { Ledger, type Intent, type LedgerDependencies, type Signed } from "./ledger.ts";

const nowMs = 1_795_521_600_000;
const good = { assertGood: () => nowMs, nowMs: () => nowMs };
const digest = new Uint8Array(32).fill(7);

interface Artefact {
  readonly name: string;
  readonly digest: Uint8Array;
}

const issued = (name: string): Signed<Artefact> => ({
  kind: "issued",
  certificate: { name, digest },
});
const refused = (error: unknown, outcome: "failed" | "unknown"): Signed<Artefact> => ({
  kind: "refused",
  error,
  outcome,
});

let nextSerial = 0;

function intentOf(): Intent {
  const { kind: _, timeMs, ...intent } = sampleIntent();
  const { serial, notBeforeMs, notAfterMs, keyDigest, tbsDigest, ...rest } = intent;
  const prepared = {
    serial: serialOf(++nextSerial),
    notBeforeMs,
    notAfterMs,
    keyDigest,
    tbsDigest,
  };
  assert.ok(timeMs > 0 && serial.length > 0);
  return { ...rest, prepared };
}

describe("a ledger", () => {
  const directory = temporaryDirectory();
  let store: LogStore;
  before(async () => {
    store = await openStore(directory.path);
  });
  after(async () => {
    await store[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });
  const ledgerOf = (changes: Partial<LedgerDependencies> = {}): Ledger =>
    new Ledger({ writer: store.writer, time: good, ...changes });
  const size = (): number => store.reader.head().size;
  const since = (from: number): readonly Entry[] =>
    [...store.reader.entries(from, 1_000)].map(({ data }) => decodeEntry(data));

  it("writes nothing of 0 intents, whatever the clock says", async () => {
    const from = size();
    const time = { ...good, assertGood: () => assert.fail("asked for the time") };
    assert.deepEqual(await ledgerOf({ time }).record([], () => []), []);
    assert.equal(size(), from);
  });

  it("signs when every intent is durable, and gives nothing before every result is", async () => {
    const from = size();
    const intents = [intentOf(), intentOf(), intentOf()];
    const outcomes = await ledgerOf().record(intents, () => {
      assert.deepEqual(
        since(from).map(({ kind }) => kind),
        ["intent", "intent", "intent"],
      );
      return [issued("a"), issued("b"), issued("c")];
    });
    assert.equal(outcomes.length, 3);
    assert.equal(size(), from + 6);
  });

  it("writes of each what came of it, in their order, and gives the same", async () => {
    const outcome = fc.constantFrom(
      issued("x"),
      refused(new CaCallError("signer-unavailable", "scripted"), "failed"),
      refused(new RangeError("scripted"), "unknown"),
    );
    const many = fc.array(outcome, { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(many, async (outcomes) => {
        const from = size();
        const intents = outcomes.map(intentOf);
        assert.deepEqual(await ledgerOf().record(intents, async () => outcomes), outcomes);
        const entries = since(from);
        for (const [index, each] of outcomes.entries()) {
          const [intent, result] = [entries[index], entries[outcomes.length + index]];
          assert.ok(intent?.kind === "intent" && result?.kind === "result");
          assert.deepEqual(intent.serial, intents[index]?.prepared.serial);
          assert.deepEqual(result.serial, intent.serial);
          assert.equal(result.intentIndex, from + index);
          const isIssued = each.kind === "issued";
          assert.equal(result.outcome, isIssued ? "signed" : each.outcome);
          assert.deepEqual(result.certificateDigest, isIssued ? digest : new Uint8Array());
          const reason = isIssued
            ? ""
            : each.error instanceof CaCallError
              ? "signer-unavailable"
              : "internal";
          assert.equal(result.reason, reason);
        }
      }),
      { numRuns: 30 },
    );
  });

  const faults: readonly (readonly [title: string, sign: () => readonly Signed<Artefact>[]])[] = [
    [
      "a signer that throws",
      () => {
        throw new RangeError("scripted");
      },
    ],
    ["a signer that gives too few outcomes", () => [issued("a")]],
    ["a signer that gives too many outcomes", () => [issued("a"), issued("b"), issued("c")]],
  ];
  for (const [title, sign] of faults) {
    it(`calls all of it unknown, and gives nothing, after ${title}`, async () => {
      const from = size();
      const outcomes = await ledgerOf().record([intentOf(), intentOf()], sign);
      assert.deepEqual(
        outcomes.map((each) => each.kind === "refused" && each.outcome),
        ["unknown", "unknown"],
      );
      const results = since(from + 2).map((each) => each.kind === "result" && each.outcome);
      assert.deepEqual(results, ["unknown", "unknown"]);
      assert.deepEqual(store.reader.certificates.open(), []);
    });
  }

  it("neither writes nor signs while the clock is stopped", async () => {
    const from = size();
    const time = {
      ...good,
      assertGood: () => {
        throw new LogClockError("log-clock-stopped", "scripted");
      },
    };
    const ledger = ledgerOf({ time });
    await assert.rejects(
      ledger.record([intentOf()], () => assert.fail("signed")),
      LogClockError,
    );
    assert.equal(size(), from);
  });

  it("signs nothing whose intent cannot be written", async () => {
    const failure = new LogError("log-unwritable", "scripted");
    const ledger = ledgerOf({ writer: { append: () => Promise.reject(failure) } });
    await assert.rejects(
      ledger.record([intentOf()], () => assert.fail("signed")),
      failure,
    );
  });

  it("gives nothing whose result cannot be written", async () => {
    const failure = new LogError("log-unwritable", "scripted");
    const writer = {
      append: (entries: readonly Entry[]) =>
        entries.some(({ kind }) => kind === "result")
          ? Promise.reject(failure)
          : store.writer.append(entries),
    };
    const recorded = ledgerOf({ writer }).record([intentOf()], () => [issued("a")]);
    await assert.rejects(recorded, failure);
  });

  it("neither signs nor leaves a part of a group of which one serial was used before", async () => {
    const used = intentOf();
    await ledgerOf().record([used], () => [issued("a")]);
    const from = size();
    await assert.rejects(
      ledgerOf().record([intentOf(), used, intentOf()], () => assert.fail("signed")),
      /serial/,
    );
    assert.equal(size(), from);
  });
});
