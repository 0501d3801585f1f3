/** On a real log: what is read from it anew is what was kept up all the while. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import * as fc from "fast-check";
import { eventually } from "../../../../test/support/control-plane.ts";
import { sampleIntent, serialOf } from "../../../../test/support/log-entries.ts";
import { openStore } from "../../../../test/support/log-store.ts";
import { temporaryDirectory } from "../../../../test/support/temporary-directory.ts";
import type { LogStore } from "../../../edge/log/log-store.ts";
import { goodbyeEvent } from "../mesh/goodbye-event.ts";
import { LeafBooks } from "./leaf-books.ts";
import { Ledger, type Intent, type LedgerWatch, type Signed } from "../log/ledger.ts";
import type { LeafBook } from "./read-leaves.ts";

const nowMs = 1_795_521_600_000;
const hourMs = 3_600_000;
const time = { assertGood: () => nowMs, nowMs: () => nowMs };
const digest = new Uint8Array(32).fill(7);
const issued: Signed<{ readonly digest: Uint8Array }> = {
  kind: "issued",
  certificate: { digest },
};

let nextSerial = 0;
/** Known and not. */
const roots = ["4d".repeat(32), ""] as const;

function intentOf(changes: Partial<Intent> & { readonly lifeMs?: number } = {}): Intent {
  const { kind: _, timeMs, ...intent } = sampleIntent();
  const { serial, notBeforeMs, notAfterMs, keyDigest, tbsDigest, ...rest } = intent;
  nextSerial += 1;
  const { lifeMs = hourMs + nextSerial * 1_000, ...others } = changes;
  assert.ok(timeMs > 0 && serial.length > 0 && notAfterMs > 0);
  const prepared = {
    serial: serialOf(nextSerial),
    notBeforeMs,
    notAfterMs: nowMs + lifeMs,
    keyDigest,
    tbsDigest,
  };
  const root = roots[nextSerial % 2] ?? "";
  return { ...rest, root, ...others, prepared };
}

describe("the books of unexpired certificates", () => {
  const directory = temporaryDirectory();
  let store: LogStore;
  before(async () => {
    store = await openStore(directory.path);
  });
  after(async () => {
    await store[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  function booksOf(watch: LedgerWatch = { settled: undefined }): LeafBooks {
    return new LeafBooks({
      reader: store.reader,
      watch,
      onFailed: (error) => assert.fail(String(error)),
      nowMs: () => nowMs,
    });
  }

  async function built(books: LeafBooks): Promise<LeafBook> {
    const book = books.open();
    await eventually(() => book.owners.isBuilt && book.holders.isBuilt);
    return book;
  }

  async function anew(): Promise<ReturnType<typeof contents>> {
    using books = booksOf();
    return contents(await built(books));
  }

  it("have what was signed, or may have been, and nothing of what failed, expired or is no workload's", async () => {
    const ledger = new Ledger({ writer: store.writer, time });
    const refused = (outcome: "failed" | "unknown") =>
      ({ kind: "refused", error: undefined, outcome }) as const;
    const [root] = roots;
    await ledger.record([intentOf({ agent: "signed", root })], () => [issued]);
    await ledger.record([intentOf({ agent: "failed" })], () => [refused("failed")]);
    await ledger.record([intentOf({ agent: "unknown", root })], () => [refused("unknown")]);
    await ledger.record([intentOf({ agent: "expired", lifeMs: -2 * hourMs })], () => [issued]);
    await ledger.record([intentOf({ agent: "", artifact: "serving" })], () => [issued]);
    using books = booksOf();
    const book = books.open();
    assert.equal(book.owners.isBuilt, false);
    await built(books);
    const agents = [...book.owners.entries()].map(([, { agent }]) => agent);
    assert.deepEqual(agents, ["signed", "unknown"]);
    assert.equal(book.holders.leavesOf(root).size, 2);
  });

  it("have canaries as holders of their root, and as nobody's who is waited for: read and as they come", async () => {
    const watch: LedgerWatch = { settled: undefined };
    const ledger = new Ledger({ writer: store.writer, time, watch });
    const root = "5c".repeat(32);
    const canary = intentOf({ agent: "a1", artifact: "canary", root });
    await ledger.record([canary], () => [issued]);
    using books = booksOf(watch);
    const book = await built(books);
    const canaryOwners = () => [...book.owners.entries()].filter(([, each]) => each.agent === "a1");
    assert.deepEqual([canaryOwners().length, book.holders.leavesOf(root).size], [0, 1]);
    const next = intentOf({ agent: "a1", artifact: "canary", root });
    await ledger.record([next], () => [issued]);
    assert.deepEqual([canaryOwners().length, book.holders.leavesOf(root).size], [0, 2]);
  });

  it("know who has said Goodbye, and who has come back since", async () => {
    const spiffeId = sampleIntent().identity;
    const ledger = new Ledger({ writer: store.writer, time });
    await ledger.record([intentOf({ agent: "left" })], () => [issued]);
    const hasIt = async (): Promise<boolean> =>
      (await anew()).owners.some(({ agent }) => agent === "left");
    assert.equal(await hasIt(), true);
    const lastIndex = store.reader.head().size - 1;
    await append(store, { spiffeId, agent: "other", lastIndex });
    assert.equal(await hasIt(), true);
    await append(store, { spiffeId, agent: "left", lastIndex });
    assert.equal(await hasIt(), false);
    await ledger.record([intentOf({ agent: "left" })], () => [issued]);
    assert.equal(await hasIt(), true);
  });

  it("count what gets no result as perhaps signed, and wait for what gets one", async () => {
    const ledger = new Ledger({ writer: store.writer, time });
    const ends = Promise.withResolvers<void>();
    const failing = ledger.record([intentOf({ agent: "late" })], async () => {
      await ends.promise;
      return [{ kind: "refused", error: undefined, outcome: "failed" }];
    });
    await eventually(() => store.reader.certificates.open().length === 1);
    using books = booksOf();
    const book = books.open();
    await new Promise((resolve) => setTimeout(resolve, 250));
    assert.equal(book.owners.isBuilt, false);
    ends.resolve();
    await failing;
    await built(books);
    assert.ok(!contents(book).owners.some(({ agent }) => agent === "late"));
  });

  type Step = "issue" | "fail" | "goodbye" | "late goodbye";
  const step = fc.tuple(
    fc.constantFrom<Step>("issue", "issue", "issue", "fail", "goodbye", "late goodbye"),
    fc.constantFrom("", "a1", "a2"),
    fc.constantFrom("spiffe://td/x", "spiffe://td/y"),
  );

  it("are the same, whenever they were opened", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 12 }),
        fc.nat({ max: 12 }),
        async (steps, at) => {
          const watch: LedgerWatch = { settled: undefined };
          using books = booksOf(watch);
          const ledger = new Ledger({ writer: store.writer, time, watch });
          const work = steps.map(async ([kind, agentId, spiffeId], index) => {
            if (index === at) books.open();
            if (kind === "issue" || kind === "fail") {
              const outcome = { kind: "refused", error: undefined, outcome: "failed" } as const;
              const intent = intentOf({ agent: agentId, identity: spiffeId });
              await ledger.record([intent], () => [kind === "issue" ? issued : outcome]);
            } else {
              const lastIndex = store.reader.head().size - (kind === "goodbye" ? 1 : 3);
              const agent = { agent: agentId || "a1", spiffeId, lastIndex };
              await append(store, agent);
              books.goodbye(agent);
            }
          });
          await Promise.all(work);
          assert.deepEqual(contents(await built(books)), await anew());
        },
      ),
      { numRuns: 40 },
    );
  });
});

async function append(
  { writer }: LogStore,
  agent: Parameters<typeof goodbyeEvent>[0],
): Promise<void> {
  const nothing = { operator: "", subject: "", reason: "", digest: new Uint8Array(), detail: "" };
  const event = { ...nothing, kind: "event", timeMs: nowMs, ...goodbyeEvent(agent) } as const;
  await writer.append([event]);
}

function contents({ owners, holders }: LeafBook) {
  return {
    owners: [...owners.entries()]
      .map(([key, owner]) => ({ key, ...owner }))
      .toSorted((a, b) => (a.key < b.key ? -1 : 1)),
    holders: roots.map((root) => [...holders.leavesOf(root)].toSorted(([a], [b]) => a - b)),
  };
}
