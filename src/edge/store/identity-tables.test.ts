import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { JoinTokenError } from "../../core/identity/join-token.ts";
import { SpiffeId } from "../../core/spiffe/id.ts";
import { JoinTokens } from "./join-tokens.ts";
import { migrations } from "./migrations.ts";
import { Store } from "./store.ts";

const NOW_MS = 1_795_521_600_000;
const dayMs = 86_400_000;
const id = SpiffeId.parse("spiffe://example.com/vm/db-1");
const other = SpiffeId.parse("spiffe://example.com/vm/db-2");

async function withStore(work: (store: Store) => void): Promise<void> {
  using directory = temporaryDirectory();
  using store = await Store.open(directory.path, "server");
  work(store);
}

const grantOf = (expiresAtMs: number = NOW_MS + 1) => ({
  digest: randomBytes(32),
  id,
  expiresAtMs,
});

describe("a join token in the store", () => {
  it("is there once, and whoever has taken it has it all", async () => {
    await withStore(({ joinTokens }) => {
      const grant = grantOf();
      joinTokens.add(grant, NOW_MS);
      joinTokens.add(grantOf(), NOW_MS);
      const taken = joinTokens.take(grant.digest);
      assert.equal(taken?.id.toString(), id.toString());
      assert.equal(taken?.expiresAtMs, grant.expiresAtMs);
      assert.equal(joinTokens.take(grant.digest), undefined);
      assert.equal(joinTokens.take(randomBytes(32)), undefined);
    });
  });

  it("stays gone when the process has died at once, and stays there when it has not been used", async () => {
    using directory = temporaryDirectory();
    const [used, unused] = [grantOf(), grantOf()];
    {
      using store = await Store.open(directory.path, "server");
      store.joinTokens.add(used, NOW_MS);
      store.joinTokens.add(unused, NOW_MS);
      assert.ok(store.joinTokens.take(used.digest));
    }
    using store = await Store.open(directory.path, "server");
    assert.equal(store.joinTokens.take(used.digest), undefined);
    assert.ok(store.joinTokens.take(unused.digest));
  });

  it("is not made when ten thousand wait, until some have expired", () => {
    using database = new DatabaseSync(":memory:");
    database.exec(migrations.join(""));
    const joinTokens = new JoinTokens(database);
    const full = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)";
    database.exec(
      `${full} INSERT INTO join_tokens SELECT randomblob(32), '${id.toString()}', ` +
        `${NOW_MS + dayMs} FROM n`,
    );
    assert.throws(
      () => joinTokens.add(grantOf(), NOW_MS + dayMs - 1),
      (error) => error instanceof JoinTokenError && error.code === "join-tokens-full",
    );
    joinTokens.add(grantOf(NOW_MS + 2 * dayMs), NOW_MS + dayMs);
  });

  it("is forgotten when it has expired", async () => {
    await withStore(({ joinTokens }) => {
      const grant = grantOf();
      joinTokens.add(grant, NOW_MS);
      joinTokens.prune(NOW_MS);
      joinTokens.prune(NOW_MS + 1);
      assert.equal(joinTokens.take(grant.digest), undefined);
    });
  });
});

describe("an enrolment in the store", () => {
  const enrolment = (serialHex: string) => ({
    serialHex,
    id,
    joinTokenId: "00000000000000aa",
    enrolledAtMs: NOW_MS,
    notAfterMs: NOW_MS + dayMs,
  });

  it("is found by its serial, after a restart, too", async () => {
    using directory = temporaryDirectory();
    {
      using store = await Store.open(directory.path, "server");
      store.enrolments.add(enrolment("7f01"));
    }
    using store = await Store.open(directory.path, "server");
    const found = store.enrolments.find("7f01");
    assert.equal(found?.id.toString(), id.toString());
    assert.deepEqual({ ...found, id }, enrolment("7f01"));
    assert.equal(store.enrolments.find("7F01"), undefined);
    assert.equal(store.enrolments.find("7f02"), undefined);
    assert.throws(() => store.enrolments.add({ ...enrolment("7f01"), id: other }));
  });

  it("is one of the last sixteen of its chain, and none of another's business", async () => {
    await withStore(({ enrolments }) => {
      // Of the same second and of the same identity: what another token began is another chain.
      for (const serial of ["aa", "bb"]) {
        enrolments.add({ ...enrolment(serial), joinTokenId: "00000000000000bb" });
      }
      for (let count = 10; count < 40; count++) enrolments.add(enrolment(String(count)));
      const left = Array.from({ length: 30 }, (_, index) => String(index + 10)).filter(
        (serial) => enrolments.find(serial) !== undefined,
      );
      assert.equal(left.length, 16);
      assert.equal(left[0], "24");
      assert.ok(enrolments.find("aa") !== undefined && enrolments.find("bb") !== undefined);
    });
  });

  it("is forgotten with its certificate, or with its chain", async () => {
    await withStore(({ enrolments }) => {
      enrolments.add(enrolment("01"));
      enrolments.add({ ...enrolment("02"), notAfterMs: NOW_MS + 30 * dayMs });
      enrolments.prune(NOW_MS + dayMs - 1);
      assert.ok(enrolments.find("01"));
      enrolments.prune(NOW_MS + dayMs);
      assert.equal(enrolments.find("01"), undefined);
      enrolments.prune(NOW_MS + 7 * dayMs - 1);
      assert.ok(enrolments.find("02"));
      enrolments.prune(NOW_MS + 7 * dayMs);
      assert.equal(enrolments.find("02"), undefined);
    });
  });
});

it("a directory of the first schema gets the new tables and keeps what it had", async () => {
  using directory = temporaryDirectory();
  {
    using store = await Store.open(directory.path, "server");
    assert.equal(store.loadTrustState(), undefined);
  }
  {
    using database = new DatabaseSync(join(directory.path, "portcullis.db"));
    for (const table of [
      "join_tokens",
      "enrolments",
      "denials",
      "deny_list",
      "waivers",
      "resources",
      "resource_set",
      "flips",
      "caller_waivers",
    ]) {
      database.exec(`DROP TABLE ${table}`);
    }
    database.exec("PRAGMA user_version = 1");
    database.exec("INSERT INTO meta (key, value) VALUES ('kept', 'yes')");
  }
  {
    using store = await Store.open(directory.path, "server");
    store.joinTokens.add(grantOf(), NOW_MS);
  }
  using database = new DatabaseSync(join(directory.path, "portcullis.db"));
  const version = database.prepare("PRAGMA user_version").get()?.["user_version"];
  assert.equal(version, migrations.length);
  const kept = database.prepare("SELECT value FROM meta WHERE key = 'kept'").get()?.["value"];
  assert.equal(kept, "yes");
});

it("a chain of the second schema goes on, with its own sixteen, under a name that says nothing", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "portcullis.db");
  const chain = { id, enrolledAtMs: NOW_MS, notAfterMs: NOW_MS + dayMs };
  {
    using database = new DatabaseSync(path);
    for (const step of migrations.slice(0, 2)) database.exec(step);
    database.exec("PRAGMA user_version = 2");
    const insert = database.prepare("INSERT INTO enrolments VALUES (?, ?, ?, ?)");
    for (let count = 10; count < 26; count++) {
      insert.run(String(count), id.toString(), NOW_MS, NOW_MS + dayMs);
    }
    insert.run("aa", other.toString(), NOW_MS, NOW_MS + dayMs);
    insert.run("bb", id.toString(), NOW_MS + 1000, NOW_MS + dayMs);
  }
  using store = await Store.open(directory.path, "server");
  const { enrolments } = store;
  const found = enrolments.find("10");
  assert.equal(found?.id.toString(), id.toString());
  assert.deepEqual({ ...found, id }, { ...chain, serialHex: "10", joinTokenId: found.joinTokenId });
  const names = ["10", "25", "aa", "bb"].map((serial) => enrolments.find(serial)?.joinTokenId);
  assert.equal(names[1], found.joinTokenId);
  assert.equal(new Set(names).size, 3);
  assert.ok(names.every((name) => name?.startsWith("unknown-")));
  enrolments.add({ ...found, serialHex: "cc" });
  assert.equal(enrolments.find("10"), undefined);
  for (const serial of ["11", "25", "aa", "bb", "cc"]) assert.ok(enrolments.find(serial), serial);
});
