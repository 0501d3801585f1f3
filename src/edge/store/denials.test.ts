import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import type { NewDenial } from "../../core/deny/denial.ts";
import { DenyListError } from "../../core/deny/deny-error.ts";
import { DenyList } from "../../core/deny/deny-list.ts";
import { TrustDomain } from "../../core/spiffe/id.ts";
import { encodeTrustState } from "../../core/trust/trust-state-codec.ts";
import { initialTrustState } from "../../core/trust/trust-state.ts";
import { migrations } from "./migrations.ts";
import { Store, StoreError } from "./store.ts";

const nowMs = 1_795_521_600_000;
const state = initialTrustState({
  trustDomain: TrustDomain.parse("cluster.local"),
  authority: {
    id: "ab",
    chain: [],
    root: Uint8Array.of(1),
    key: "store",
    auto: false,
  },
  nowMs: 0,
});
const denial = (more: Partial<NewDenial> = {}): NewDenial => ({
  target: { kind: "identity", id: "spiffe://cluster.local/ns/shop/sa/web" },
  reason: "its node was taken over",
  operator: "alice",
  createdAtMs: nowMs,
  ...more,
});
const certificate = denial({
  target: { kind: "serial", serialHex: "ab".repeat(16) },
  untilMs: nowMs + 3_600_000,
});
const list = DenyList.empty.add(denial()).add(certificate);

async function directoryWith(denied: DenyList): Promise<Disposable & { readonly path: string }> {
  const directory = temporaryDirectory();
  using store = await Store.open(directory.path, "server");
  store.initialize({ state, keys: [], nowMs });
  if (denied !== DenyList.empty) store.denials.replace(DenyList.empty, denied);
  return directory;
}

async function load(path: string): Promise<DenyList> {
  using store = await Store.open(path, "server");
  return store.denials.load();
}

function change(path: string, sql: string): void {
  using database = new DatabaseSync(join(path, "portcullis.db"));
  database.exec(sql);
}

describe("the stored deny list", () => {
  it("is empty in a new directory, and in one that has denied nobody", async () => {
    using empty = temporaryDirectory();
    assert.equal((await load(empty.path)).sequence, 0);
    using used = await directoryWith(DenyList.empty);
    assert.deepEqual(await load(used.path), DenyList.empty);
  });

  it("is after a restart what it was after any changes", async () => {
    using directory = await directoryWith(DenyList.empty);
    const step = fc.constantFrom("add", "add for an hour", "remove", "prune");
    let stored = DenyList.empty;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
        using store = await Store.open(directory.path, "server");
        for (const each of steps) {
          const before = stored;
          const [first] = before.denials;
          if (each === "add") stored = before.add(denial());
          else if (each === "add for an hour") stored = before.add(certificate);
          else if (each === "prune") stored = before.prune(nowMs + 3_600_000);
          else if (first !== undefined) stored = before.remove(first.sequence);
          if (stored !== before) store.denials.replace(before, stored);
        }
        const loaded = store.denials.load();
        assert.deepEqual(loaded, stored);
        assert.deepEqual(store.loadTrustState()?.denyDigest, new Uint8Array(stored.digest()));
      }),
      { numRuns: 25 },
    );
    assert.deepEqual(await load(directory.path), stored);
  });

  it("changes together with the trust state, and not from another list than the stored one", async () => {
    using directory = await directoryWith(list);
    using store = await Store.open(directory.path, "server");
    const next = list.remove(1);
    for (const stale of [DenyList.empty, next, DenyList.empty.add(denial({ reason: "other" }))]) {
      assert.throws(
        () => store.denials.replace(stale, stale.add(denial())),
        isCode("store-denials-changed"),
      );
    }
    assert.deepEqual(store.denials.load(), list);
    assert.equal(store.loadTrustState()?.epoch, 2);
    const trust = store.denials.replace(list, next);
    assert.equal(trust.epoch, 3);
    assert.equal(trust.bundleSequence, state.bundleSequence);
    const stored = store.loadTrustState();
    assert.equal(stored && encodeTrustState(stored), encodeTrustState(trust));
  });

  it("is not there without a trust state", async () => {
    using directory = temporaryDirectory();
    using store = await Store.open(directory.path, "server");
    assert.throws(
      () => store.denials.replace(DenyList.empty, list),
      isCode("store-denials-changed"),
    );
    assert.equal(store.denials.load().sequence, 0);
  });

  for (const [title, sql] of [
    ["a denial is gone", "DELETE FROM denials WHERE sequence = 1"],
    ["all denials are gone", "DELETE FROM denials"],
    ["one is added", "INSERT INTO denials SELECT 7, kind, target, 'x', '', 1, 2 FROM denials"],
    ["a reason is another", "UPDATE denials SET reason = 'none'"],
    ["an end is earlier", `UPDATE denials SET until_ms = ${nowMs + 1}`],
    ["its sequence is another", "UPDATE deny_list SET sequence = 3"],
    ["it is another server's", "UPDATE denials SET operator = 'mallory'"],
    [
      "its digest is another",
      `UPDATE trust_state SET document = '${encodeTrustState(state).replaceAll("'", "''")}'`,
    ],
    ["its sequence is behind", "UPDATE deny_list SET sequence = 1"],
    ["it has no sequence", "DELETE FROM deny_list"],
    ["a target is misspelled", "UPDATE denials SET target = 'AB' WHERE sequence = 2"],
    ["a kind is another one's", "UPDATE denials SET kind = 'serial'"],
    ["a sequence is negative", "UPDATE denials SET sequence = -1 WHERE sequence = 1"],
    ["a number is too large for anything", `UPDATE denials SET created_at_ms = ${2n ** 62n}`],
    ["its table is gone", "DROP TABLE denials"],
  ] as const) {
    it(`stops the start where ${title}`, async () => {
      using directory = await directoryWith(list);
      change(directory.path, sql.startsWith("INSERT") ? `${sql} WHERE sequence = 1` : sql);
      for (let attempt = 0; attempt < 2; attempt++) {
        await assert.rejects(load(directory.path), (error) => {
          assert.ok(error instanceof StoreError || error instanceof DenyListError, String(error));
          assert.match(
            error.code,
            /^(store-denials-changed|store-unreadable|deny-list-malformed)$/,
          );
          return error.hint !== undefined;
        });
      }
    });
  }

  it("is empty in a directory of the third schema, which keeps its trust", async () => {
    using directory = temporaryDirectory();
    const corpus = join(import.meta.dirname, "../../../test/corpus/trust-state");
    const document = readFileSync(join(corpus, "version-2"), "utf8");
    {
      using database = new DatabaseSync(join(directory.path, "portcullis.db"));
      for (const step of migrations.slice(0, 3)) database.exec(step);
      database.exec("PRAGMA user_version = 3");
      database
        .prepare("INSERT INTO trust_state (id, epoch, document) VALUES (1, 5, ?)")
        .run(document);
    }
    using store = await Store.open(directory.path, "server");
    assert.equal(store.denials.load().sequence, 0);
    assert.equal(store.denials.replace(DenyList.empty, list).epoch, 6);
    assert.deepEqual(store.denials.load(), list);
  });
});

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof StoreError && error.code === code;
}
