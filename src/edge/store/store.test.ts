import assert from "node:assert/strict";
import { generateKeyPairSync, hash, type KeyObject } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { TrustDomain } from "../../core/spiffe/id.ts";
import { encodeTrustState } from "../../core/trust/trust-state-codec.ts";
import { initialTrustState, TrustStateError } from "../../core/trust/trust-state.ts";
import { PrivateFileError } from "../config/private-files.ts";
import { migrations } from "./migrations.ts";
import { bundleFileName, Store, StoreError, type NewTrust, type StoreErrorCode } from "./store.ts";

const keyId = "ab".repeat(20);
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const privateKeyPkcs8 = Uint8Array.from(privateKey.export({ format: "der", type: "pkcs8" }));
const newTrust: NewTrust = {
  state: initialTrustState({
    trustDomain: TrustDomain.parse("cluster.local"),
    authority: {
      id: keyId,
      chain: [],
      root: Uint8Array.of(1, 2, 3),
      key: "store",
      auto: false,
    },
    nowMs: 1_795_521_600_000,
  }),
  keys: [{ id: keyId, privateKeyPkcs8 }],
  nowMs: 1_795_521_600_000,
};

/** A directory in which a server has run, with its root published. */
async function usedDirectory(): Promise<Disposable & { readonly path: string }> {
  const directory = temporaryDirectory();
  using store = await Store.open(directory.path, "server");
  store.initialize(newTrust);
  writeFileSync(join(directory.path, bundleFileName), "published");
  return directory;
}

const databaseOf = ({ path }: { readonly path: string }): string => join(path, "portcullis.db");

/** The names of all files, with the hash of what is in them. */
function contents(path: string): Map<string, string> {
  return new Map(
    readdirSync(path)
      .toSorted()
      .map((name) => [name, hash("sha256", readFileSync(join(path, name)))]),
  );
}

async function openFully(path: string, maker: "server" | "dev" = "server"): Promise<void> {
  using store = await Store.open(path, maker);
  const state = store.loadTrustState();
  if (state !== undefined) store.signingKey(keyId);
}

async function refusesUntouched(
  path: string,
  code: StoreErrorCode | TrustStateError["code"],
  maker: "server" | "dev" = "server",
): Promise<void> {
  const before = contents(path);
  for (let attempt = 0; attempt < 2; attempt++) {
    await assert.rejects(openFully(path, maker), (error) => {
      assert.ok(error instanceof StoreError || error instanceof TrustStateError, String(error));
      assert.equal(error.code, code);
      assert.ok(error.hint !== undefined && error.hint !== "");
      return true;
    });
    assert.deepEqual(contents(path), before);
  }
}

describe("the store", () => {
  it("gives back after a restart what was written first", async () => {
    using directory = await usedDirectory();
    using store = await Store.open(directory.path, "server");
    const state = store.loadTrustState();
    assert.ok(state !== undefined);
    assert.equal(state.epoch, 1);
    assert.equal(encodeTrustState(state), encodeTrustState(newTrust.state));
    const key = store.signingKey(keyId).export({ format: "der", type: "pkcs8" });
    assert.equal(Buffer.compare(key, privateKeyPkcs8), 0);
  });

  it("is empty in a new directory, and after a start that made no trust state", async () => {
    using directory = temporaryDirectory();
    for (let start = 0; start < 2; start++) {
      using store = await Store.open(join(directory.path, "new", "data"), "server");
      assert.equal(store.loadTrustState(), undefined);
    }
  });

  it("takes trust state and key together or not at all", async () => {
    using directory = temporaryDirectory();
    const tooLarge = { ...newTrust.state, authorities: manyAuthorities() };
    {
      using store = await Store.open(directory.path, "server");
      assert.throws(() => store.initialize({ ...newTrust, state: tooLarge }));
      assert.equal(store.loadTrustState(), undefined);
      assert.throws(() => store.signingKey(keyId), isCode("store-key-missing"));
      store.initialize(newTrust);
      const keys = [{ id: "cd", privateKeyPkcs8 }];
      assert.throws(() => store.initialize({ ...newTrust, keys }));
      assert.throws(() => store.signingKey("cd"), isCode("store-key-missing"));
    }
    await openFully(directory.path);
  });

  describe("with a passphrase", () => {
    const passphrase = Buffer.from("correct horse");
    const contains = (directory: string, bytes: Uint8Array): boolean =>
      readdirSync(directory).some((name) =>
        readFileSync(join(directory, name)).includes(Buffer.from(bytes)),
      );

    it("keeps its keys encrypted, and gives them for that passphrase only", async () => {
      using directory = temporaryDirectory();
      {
        using store = await Store.open(directory.path, "server", passphrase);
        store.initialize(newTrust);
        assert.deepEqual(pkcs8Of(store.signingKey(keyId)), Buffer.from(privateKeyPkcs8));
      }
      assert.equal(contains(directory.path, privateKeyPkcs8), false);
      for (const [given, code] of [
        [undefined, "store-key-encrypted"],
        [Buffer.from("wrong"), "store-passphrase-wrong"],
      ] as const) {
        using store = await Store.open(directory.path, "server", given);
        assert.throws(() => store.signingKey(keyId), isCode(code));
      }
      using store = await Store.open(directory.path, "server", passphrase);
      assert.deepEqual(pkcs8Of(store.signingKey(keyId)), Buffer.from(privateKeyPkcs8));
    });

    it("encrypts what is there in the clear, and leaves nothing of it in the files", async () => {
      using directory = temporaryDirectory();
      {
        using store = await Store.open(directory.path, "server");
        store.initialize(newTrust);
      }
      assert.equal(contains(directory.path, privateKeyPkcs8), true);
      {
        using store = await Store.open(directory.path, "server", passphrase);
        assert.equal(contains(directory.path, privateKeyPkcs8), false);
        assert.deepEqual(pkcs8Of(store.signingKey(keyId)), Buffer.from(privateKeyPkcs8));
      }
      assert.equal(contains(directory.path, privateKeyPkcs8), false);
    });
  });

  it("replaces the trust state that it was made from, and no other", async () => {
    using directory = temporaryDirectory();
    using store = await Store.open(directory.path, "server");
    store.initialize(newTrust);
    const keys = [{ id: "cd", privateKeyPkcs8 }];
    const next = { state: { ...newTrust.state, epoch: 2 }, keys, nowMs: newTrust.nowMs };
    store.replaceTrustState(next);
    assert.equal(store.loadTrustState()?.epoch, 2);
    const again = { ...next, keys: [{ id: "ef", privateKeyPkcs8 }] };
    assert.throws(() => store.replaceTrustState(again), isCode("store-epoch"));
    assert.throws(() => store.signingKey("ef"), isCode("store-key-missing"));
    assert.ok(store.signingKey("cd"));
  });

  it("is closed to everybody else whatever the umask", async () => {
    using parent = temporaryDirectory();
    const path = join(parent.path, "data");
    const umask = process.umask(0);
    try {
      using store = await Store.open(path, "server");
      store.initialize(newTrust);
      const modes = readdirSync(path).map((name) => statSync(join(path, name)).mode & 0o777);
      assert.deepEqual(new Set(modes), new Set([0o600]));
      assert.equal(statSync(path).mode & 0o777, 0o700);
    } finally {
      process.umask(umask);
    }
  });

  it("leaves the directory to the first of two", async () => {
    using directory = await usedDirectory();
    using first = await Store.open(directory.path, "server");
    await assert.rejects(Store.open(directory.path, "server"), isCode("store-in-use"));
    await assert.rejects(Store.open(directory.path, "dev"), isCode("store-in-use"));
    assert.ok(first.loadTrustState() !== undefined);
  });

  it("refuses a directory that others may enter", async () => {
    using directory = await usedDirectory();
    chmodSync(directory.path, 0o750);
    await assert.rejects(
      openFully(directory.path),
      (error) => error instanceof PrivateFileError && error.code === "file-mode",
    );
  });
});

describe("a store that is not as it was left is refused, and left as it is", () => {
  it("when it is gone and its root is published", async () => {
    using directory = await usedDirectory();
    unlinkSync(databaseOf(directory));
    await refusesUntouched(directory.path, "store-lost");
  });

  it("when it is empty and its root is published", async () => {
    using directory = await usedDirectory();
    truncateSync(databaseOf(directory), 0);
    await refusesUntouched(directory.path, "store-lost");
  });

  it("when its rows are gone and its root is published", async () => {
    using directory = await usedDirectory();
    change(directory, "DELETE FROM trust_state; DELETE FROM signing_keys");
    await refusesUntouched(directory.path, "store-lost");
  });

  it("when its write-ahead log was left behind by whoever copied it", async () => {
    using source = temporaryDirectory();
    using copy = temporaryDirectory();
    using store = await Store.open(source.path, "server");
    store.initialize(newTrust);
    copyFileSync(databaseOf(source), databaseOf(copy));
    writeFileSync(join(copy.path, bundleFileName), "published");
    await refusesUntouched(copy.path, "store-lost");
  });

  it("when it is no database", async () => {
    using directory = await usedDirectory();
    writeFileSync(databaseOf(directory), "not a database, but long enough to be one".repeat(200));
    await refusesUntouched(directory.path, "store-unreadable");
  });

  it("when it is cut off anywhere", async () => {
    using directory = await usedDirectory();
    const whole = readFileSync(databaseOf(directory));
    for (let length = 1; length < whole.length; length += length < 200 ? 37 : 1_999) {
      // Zeros at the end are read as zeros: nothing is lost with them.
      if (whole.subarray(length).every((octet) => octet === 0)) continue;
      writeFileSync(databaseOf(directory), whole.subarray(0, length));
      await refusesUntouched(directory.path, length === 1 ? "store-lost" : "store-unreadable");
    }
  });

  it("when any of its pages is overwritten", async () => {
    using directory = await usedDirectory();
    const whole = readFileSync(databaseOf(directory));
    for (let at = 0; at < whole.length; at += 4_096) {
      const damaged = Buffer.from(whole).fill(0xa5, at, at + 4_096);
      writeFileSync(databaseOf(directory), damaged);
      const before = contents(directory.path);
      // Some pages are of indexes that no query reads: then the answer is right.
      await openFully(directory.path).catch((error: unknown) => {
        assert.ok(error instanceof StoreError && error.code === "store-unreadable", String(error));
      });
      assert.deepEqual(contents(directory.path), before);
    }
  });

  it("when a directory stands in its place", async () => {
    using directory = temporaryDirectory();
    mkdirSync(databaseOf(directory));
    await assert.rejects(openFully(directory.path), isCode("store-unreadable"));
  });

  it("when a newer version wrote it", async () => {
    using directory = await usedDirectory();
    change(directory, `PRAGMA user_version = ${migrations.length + 1}`);
    await refusesUntouched(directory.path, "store-newer");
  });

  it("when dev made it and a server opens it, or the other way round", async () => {
    using directory = await usedDirectory();
    await refusesUntouched(directory.path, "store-made-by-dev", "dev");
    using other = temporaryDirectory();
    (await Store.open(other.path, "dev"))[Symbol.dispose]();
    await refusesUntouched(other.path, "store-made-by-dev", "server");
    await openFully(other.path, "dev");
  });

  it("when its trust state is unreadable", async () => {
    using directory = await usedDirectory();
    for (const document of ["", "{", "null", "{}", '{"version":2}']) {
      change(directory, `UPDATE trust_state SET document = '${document}'`);
      await refusesUntouched(directory.path, "trust-state-malformed");
    }
  });

  it("when the key of its authority is missing, or is no key", async () => {
    using directory = await usedDirectory();
    change(directory, "UPDATE signing_keys SET pkcs8 = x'3000'");
    await refusesUntouched(directory.path, "store-unreadable");
    change(directory, "DELETE FROM signing_keys");
    await refusesUntouched(directory.path, "store-key-missing");
  });
});

function change(directory: { readonly path: string }, sql: string): void {
  using database = new DatabaseSync(databaseOf(directory));
  database.exec(sql);
}

function pkcs8Of(key: KeyObject): Buffer {
  return key.export({ format: "der", type: "pkcs8" });
}

function isCode(code: StoreErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof StoreError && error.code === code;
}

/** More than 16 KiB of them. */
function manyAuthorities(): NewTrust["state"]["authorities"] {
  return Array.from({ length: 20 }, (_, index) => ({
    id: index.toString(16).padStart(40, "0"),
    state: index === 0 ? "active" : "retiring",
    sinceMs: 0,
    formerKeyIds: [],
    chain: [],
    root: new Uint8Array(1_000),
    key: "store",
    auto: false,
  }));
}
