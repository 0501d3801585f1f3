import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, it } from "node:test";
import { addCertificates, auditOf, logOrigin, openStore } from "../../../test/support/log-store.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { LogError } from "../../core/log/log-error.ts";
import { noteVerifier } from "../../core/log/note-key.ts";
import { auditLog, type LogFault } from "./log-audit.ts";

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
    ["DELETE FROM entries WHERE idx = 300", "entry-missing", 256],
    ["UPDATE entries SET data = x'ff' WHERE idx = 300", "entry-malformed", 300],
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
