import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  LOG_NOW_MS,
  sampleEvent,
  sampleIntent,
  sampleResult,
  serialOf,
} from "../../../test/support/log-entries.ts";
import { addCertificates, openStore } from "../../../test/support/log-store.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import type { Artifact, Outcome } from "../../core/log/entry.ts";
import type { LeafRecord } from "../../core/roll/leaf-record.ts";
import type { LogStore } from "./log-store.ts";

interface Sample {
  readonly artifact?: Artifact;
  readonly outcome?: Outcome;
  readonly endsIn?: number;
  readonly agent?: string;
  readonly root?: string;
}

const root = "4d".repeat(32);

/** The intents in their order, and then the results of those that have one. */
async function add({ writer }: LogStore, samples: readonly Sample[]): Promise<number> {
  const intents = samples.map(
    ({ endsIn = 60_000, artifact = "workload", agent = "", root = "" }, index) =>
      sampleIntent({
        artifact,
        agent,
        root,
        serial: serialOf(index),
        notAfterMs: LOG_NOW_MS + endsIn,
      }),
  );
  const { firstIndex } = await writer.append(intents);
  const results = samples.flatMap(({ outcome }, index) => {
    if (outcome === undefined) return [];
    const intentIndex = firstIndex + index;
    const digest =
      outcome === "signed" ? {} : { certificateDigest: new Uint8Array(0), reason: "x" };
    return [sampleResult({ outcome, intentIndex, serial: serialOf(index), ...digest })];
  });
  await writer.append(results);
  return firstIndex;
}

function all(store: LogStore, afterMs: number, limit: number): LeafRecord[] {
  const leaves: LeafRecord[] = [];
  for (let from: number | undefined = 0; from !== undefined;) {
    const page = store.reader.certificates.unexpired(afterMs, from, limit);
    assert.ok(page.leaves.length <= limit);
    leaves.push(...page.leaves);
    from = page.next;
  }
  return leaves;
}

describe("unexpired certificates of workloads", () => {
  it("are those that were signed or may have been, and no others", async () => {
    using directory = temporaryDirectory();
    await using store = await openStore(directory.path);
    const first = await add(store, [
      { outcome: "signed", agent: "a1", root },
      { outcome: "failed" },
      { outcome: "unknown" },
      { artifact: "serving", outcome: "signed" },
      { artifact: "jwt", outcome: "signed" },
      { endsIn: 0, outcome: "signed" },
      {},
    ]);
    const leaves = all(store, LOG_NOW_MS, 100);
    assert.deepEqual(
      leaves.map(({ intentIndex, outcome, agent }) => [intentIndex - first, outcome, agent]),
      [
        [0, "signed", "a1"],
        [2, "unknown", ""],
        [6, "open", ""],
      ],
    );
    const { identity } = sampleIntent();
    assert.deepEqual(leaves[0], {
      identity,
      agent: "a1",
      pod: sampleIntent().evidence.pod,
      serialHex: Buffer.from(serialOf(0)).toString("hex"),
      notAfterMs: LOG_NOW_MS + 60_000,
      root,
      intentIndex: first,
      outcome: "signed",
    });
    assert.equal(all(store, LOG_NOW_MS - 1, 100).length, 4);
    const { certificates } = store.reader;
    assert.deepEqual(certificates.leafAt(first), leaves[0]);
    assert.equal(certificates.leafAt(first + 5)?.notAfterMs, LOG_NOW_MS);
    for (const other of [1, 3, 4, 7]) assert.equal(certificates.leafAt(first + other), undefined);
  });

  it("are told from canaries, which hang on a root as they do", async () => {
    using directory = temporaryDirectory();
    await using store = await openStore(directory.path);
    const first = await add(store, [
      { artifact: "canary", outcome: "signed", agent: "a1", root },
      { outcome: "signed", agent: "a1", root },
    ]);
    const leaves = all(store, LOG_NOW_MS, 100);
    assert.deepEqual(
      leaves.map(({ isCanary }) => isCanary),
      [true, undefined],
    );
    assert.deepEqual(store.reader.certificates.leafAt(first), leaves[0]);
    const newest = store.reader.certificates.newest(sampleIntent().identity);
    assert.equal(newest?.intentIndex, first + 1, "whom a canary is for has no certificate by it");
  });

  it("come from a log without certificates, too", async () => {
    using directory = temporaryDirectory();
    await using store = await openStore(directory.path);
    assert.deepEqual(all(store, 0, 100), []);
  });
});

describe("a long log", () => {
  const directory = temporaryDirectory();
  let store: LogStore;
  const count = 12_000;
  before(async () => {
    store = await openStore(directory.path);
    for (let first = 0; first < count; first += 500) {
      await addCertificates(store, first, 500, LOG_NOW_MS + (first < count / 2 ? 0 : 100_000));
    }
    // So many entries without a certificate that a page finds none.
    const events = Array.from({ length: 1_000 }, () => sampleEvent());
    for (let times = 0; times < 20; times++) await store.writer.append(events);
    await addCertificates(store, count, 10, LOG_NOW_MS + 100_000);
  });
  after(async () => {
    await store[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  it("is paged without a gap and without a certificate twice, whatever the page is", () => {
    for (const limit of [7, 500, 5_000]) {
      const serials = all(store, LOG_NOW_MS, Math.min(limit, 1_000)).map((each) => each.serialHex);
      assert.equal(serials.length, count + 10);
      assert.equal(new Set(serials).size, count + 10);
    }
    const late = all(store, LOG_NOW_MS + 86_400_000, 500);
    assert.equal(late.length, count / 2 + 10);
  });

  it("holds up the thread for some milliseconds a page", (context) => {
    const { certificates } = store.reader;
    const times = Array.from({ length: 10 }, (_, index) => {
      const startMs = performance.now();
      certificates.unexpired(LOG_NOW_MS, index * 2_000, 500);
      return performance.now() - startMs;
    }).toSorted((a, b) => a - b);
    const startMs = performance.now();
    certificates.unexpired(LOG_NOW_MS + 1e9, 0, 500);
    const emptyMs = performance.now() - startMs;
    context.diagnostic(`500: ${times[5]?.toFixed(2)} ms; none in a span: ${emptyMs.toFixed(2)} ms`);
    assert.ok((times[5] ?? 0) < 40);
  });
});
