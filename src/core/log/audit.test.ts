import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";
import {
  LOG_NOW_MS,
  sampleEvent,
  sampleIntent,
  sampleRefusals,
  sampleResult,
  serialOf,
} from "../../../test/support/log-entries.ts";
import { hex, naiveRoot } from "../../../test/support/log-tree.ts";
import { LogAuditor, type AuditFault, type AuditFaultCode } from "./audit.ts";
import { encodeEntry } from "./entry-codec.ts";
import type { Entry } from "./entry.ts";
import { leafHash } from "./merkle.ts";

/** Two certificates, the second open; then one that failed. */
const log: readonly Entry[] = [
  sampleEvent(),
  sampleIntent({ serial: serialOf(1) }),
  sampleIntent({ serial: serialOf(2), timeMs: LOG_NOW_MS + 5 }),
  sampleResult({ intentIndex: 1, serial: serialOf(1), timeMs: LOG_NOW_MS + 5 }),
  sampleRefusals({ timeMs: LOG_NOW_MS + 6 }),
  sampleIntent({ serial: serialOf(3), timeMs: LOG_NOW_MS + 7, artifact: "jwt" }),
  sampleResult({
    intentIndex: 5,
    serial: serialOf(3),
    timeMs: LOG_NOW_MS + 8,
    outcome: "failed",
    certificateDigest: new Uint8Array(0),
    reason: "signer-failed",
  }),
];

interface Audited {
  readonly auditor: LogAuditor;
  readonly fault: AuditFault | undefined;
}

function audit(entries: readonly Uint8Array[]): Audited {
  const auditor = new LogAuditor();
  let fault: AuditFault | undefined;
  for (const [index, bytes] of entries.entries()) fault = auditor.take(index, bytes);
  return { auditor, fault };
}

const timed = { timeMs: LOG_NOW_MS + 9 };
const noDigest = { certificateDigest: new Uint8Array(0) };
const second = { intentIndex: 2, serial: serialOf(2), ...timed };

describe("LogAuditor", () => {
  it("finds no fault in a log that has none, and says what is in it", () => {
    const bytes = log.map(encodeEntry);
    const { auditor, fault } = audit(bytes);
    assert.equal(fault, undefined);
    assert.deepEqual(auditor.finish(), {
      size: 7,
      root: naiveRoot(bytes.map(leafHash)),
      counts: { intent: 3, result: 2, refusals: 1, event: 1 },
      openIntents: [2],
      skipped: [],
    });
  });

  it("finds nothing in an empty log", () => {
    const { size, openIntents } = new LogAuditor().finish();
    assert.deepEqual([size, openIntents], [0, []]);
  });

  const faults: readonly (readonly [what: string, code: AuditFaultCode, last: Entry])[] = [
    ["a time that goes back", "time-backwards", sampleEvent({ timeMs: LOG_NOW_MS + 7 })],
    ["a serial twice", "serial-reused", sampleIntent({ serial: serialOf(1), ...timed })],
    [
      "a serial again that failed before",
      "serial-reused",
      sampleIntent({ serial: serialOf(3), ...timed }),
    ],
    [
      "a result of no intent",
      "result-without-intent",
      sampleResult({ ...second, serial: serialOf(9) }),
    ],
    [
      "a result of an intent that is to come",
      "result-of-another-intent",
      sampleResult({ ...second, intentIndex: 8 }),
    ],
    [
      "a result of what is no intent",
      "result-of-another-intent",
      sampleResult({ ...second, intentIndex: 0 }),
    ],
    [
      "a result with another intent's serial",
      "result-of-another-intent",
      sampleResult({ ...second, serial: serialOf(1) }),
    ],
    [
      "a second result",
      "result-repeated",
      sampleResult({ ...timed, intentIndex: 1, serial: serialOf(1) }),
    ],
    [
      "a second result of an intent that failed",
      "result-repeated",
      sampleResult({ ...timed, intentIndex: 5, serial: serialOf(3) }),
    ],
    [
      "a signature without a certificate",
      "result-inconsistent",
      sampleResult({ ...second, ...noDigest }),
    ],
    [
      "a signature with a reason why not",
      "result-inconsistent",
      sampleResult({ ...second, reason: "signer-failed" }),
    ],
    [
      "a certificate that was not signed",
      "result-inconsistent",
      sampleResult({ ...second, outcome: "failed", reason: "signer-failed" }),
    ],
    [
      "a failure without a reason",
      "result-inconsistent",
      sampleResult({ ...second, ...noDigest, outcome: "unknown" }),
    ],
  ];
  for (const [what, code, last] of faults) {
    it(`finds ${what}, where it is, and nothing after it`, () => {
      const after = sampleEvent({ timeMs: 0 });
      const { auditor, fault } = audit([...log, last, after].map(encodeEntry));
      assert.deepEqual([fault?.code, fault?.index], [code, log.length]);
      assert.equal(auditor.take(log.length, encodeEntry(sampleEvent(timed))), fault);
      assert.equal(auditor.skip(log.length, leafHash(encodeEntry(last))), fault);
      assert.equal(auditor.finish().size, log.length);
    });
  }

  it("finds bytes that are no entry", () => {
    const { fault } = audit([...log.map(encodeEntry), Uint8Array.of(9)]);
    assert.deepEqual([fault?.code, fault?.index], ["entry-malformed", 7]);
    assert.match(fault?.message ?? "", /version/);
  });

  for (const [what, index] of [
    ["left out", 8],
    ["given twice", 6],
  ] as const) {
    it(`finds an entry ${what}`, () => {
      const { auditor } = audit(log.map(encodeEntry));
      const fault = auditor.take(index, encodeEntry(sampleEvent(timed)));
      assert.deepEqual([fault?.code, fault?.index], ["index-out-of-order", index]);
    });
  }

  it("holds entries that were pruned to their hashes, and no result to a pruned intent", () => {
    const bytes = log.map(encodeEntry);
    const auditor = new LogAuditor();
    for (const [index, each] of bytes.entries()) {
      const isPruned = index === 0 || index === 1 || index === 5;
      if (isPruned) assert.equal(auditor.skip(index, leafHash(each)), undefined);
      else assert.equal(auditor.take(index, each), undefined);
    }
    const { root, skipped, counts, openIntents } = auditor.finish();
    assert.deepEqual(root, naiveRoot(bytes.map(leafHash)));
    assert.deepEqual(skipped, [
      { start: 0, end: 2 },
      { start: 5, end: 6 },
    ]);
    assert.deepEqual([counts.intent, counts.result, openIntents], [1, 2, [2]]);
    const unpruned = sampleResult({ ...timed, intentIndex: 6, serial: serialOf(8) });
    assert.equal(auditor.take(7, encodeEntry(unpruned))?.code, "result-without-intent");
  });

  it("finds what a plain reading of the rules finds, in logs of any kind", () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 30 }), (entries) => {
        const { auditor, fault } = audit(entries.map(encodeEntry));
        const model = plainAudit(entries);
        assert.deepEqual(fault && [fault.index, fault.code], model.fault);
        if (fault === undefined) assert.deepEqual(auditor.finish().openIntents, model.open);
      }),
      { numRuns: 2_000 },
    );
  });
});

/** Few serials, indices and times, so that right ones and wrong ones are both frequent. */
const anyStep: fc.Arbitrary<Entry> = fc
  .record({
    isIntent: fc.boolean(),
    serial: fc.nat({ max: 12 }).map(serialOf),
    intentIndex: fc.nat({ max: 6 }),
    late: fc.oneof({ weight: 30, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(1) }),
    outcome: fc.constantFrom("signed" as const, "failed" as const),
    isBad: fc.nat({ max: 10 }).map((each) => each === 0),
  })
  .map(({ isIntent, serial, intentIndex, late, outcome, isBad }) => {
    const timeMs = LOG_NOW_MS + late;
    if (isIntent) return sampleIntent({ serial, timeMs });
    const reason = (outcome === "signed") === isBad ? "signer-failed" : "";
    const signed = { outcome, reason, ...(outcome === "signed" ? {} : noDigest) };
    return sampleResult({ serial, timeMs, intentIndex, ...signed });
  });

interface Model {
  readonly fault: readonly [index: number, code: AuditFaultCode] | undefined;
  readonly open: readonly number[];
}

function plainAudit(entries: readonly Entry[]): Model {
  const open = new Map<number, string>();
  const bySerial = new Map<string, number>();
  let timeMs = 0;
  for (const [index, entry] of entries.entries()) {
    const fault = (code: AuditFaultCode): Model => ({ fault: [index, code], open: [] });
    if (entry.timeMs < timeMs) return fault("time-backwards");
    timeMs = entry.timeMs;
    if (entry.kind === "intent") {
      const serial = hex(entry.serial);
      if (bySerial.has(serial)) return fault("serial-reused");
      bySerial.set(serial, index);
      open.set(index, serial);
    } else if (entry.kind === "result") {
      const known = bySerial.get(hex(entry.serial));
      if (known === undefined) return fault("result-without-intent");
      if (known !== entry.intentIndex) return fault("result-of-another-intent");
      if (!open.delete(known)) return fault("result-repeated");
      const isSigned = entry.outcome === "signed";
      const isWhole = (entry.reason === "") === isSigned;
      if (!isWhole || entry.certificateDigest.length > 0 !== isSigned) {
        return fault("result-inconsistent");
      }
    }
  }
  return { fault: undefined, open: [...open.keys()] };
}
