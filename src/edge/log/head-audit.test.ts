import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { sampleIntent, serialOf } from "../../../test/support/log-entries.ts";
import { addCertificates, auditOf, openStore } from "../../../test/support/log-store.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import type { LogFault } from "./log-fault.ts";

/** Of a log with 5 certificates and an open intent, 12 entries, after somebody has written to its file. */
async function faultAfter(sql: string): Promise<LogFault | undefined> {
  using directory = temporaryDirectory();
  {
    await using store = await openStore(directory.path);
    await addCertificates(store, 0, 5);
    await store.writer.append([sampleIntent({ serial: serialOf(7) })]);
  }
  using database = new DatabaseSync(join(directory.path, "log.db"));
  database.exec(sql);
  return auditOf(directory.path).fault;
}

describe("an audit of the head", () => {
  it("finds nothing wrong with one that is right, in a new log and in one with an open intent", async () => {
    using directory = temporaryDirectory();
    {
      await using _ = await openStore(directory.path);
    }
    assert.equal(auditOf(directory.path).fault, undefined);
    assert.equal(await faultAfter(""), undefined);
  });

  const entry = "INSERT INTO entries SELECT 12, data FROM entries WHERE idx = 1";
  const certificate = "INSERT INTO certificates SELECT 12, x'07', artifact, identity, authority";
  const changes: readonly (readonly [title: string, sql: string, message: RegExp])[] = [
    ["an entry after the checkpoint's", entry, /up to 11.*got 12/],
    ["a size of more than the checkpoint's", "UPDATE head SET size = 13", /12, got 13/],
    ["both at once", `${entry}; UPDATE head SET size = 13, open_from = 13`, /12, got 13/],
    ["a size of less", "UPDATE head SET size = 3", /12, got 3/],
    [
      "a certificate without a signed entry",
      `${certificate}, not_after_s, NULL, NULL FROM certificates LIMIT 1`,
      /entry 12/,
    ],
    [
      "a result that is no signed entry",
      "UPDATE certificates SET result = 12, outcome = 0 WHERE intent = 11",
      /entry 12/,
    ],
    ["an open intent that would not be found", "UPDATE head SET open_from = 12", /11 on.*got 12/],
    ["another verifier key", "UPDATE head SET verifier_key = 'x+00000000+AA=='", /verifier key/],
  ];
  for (const [title, sql, message] of changes) {
    it(`finds ${title}`, async () => {
      const fault = await faultAfter(sql);
      assert.deepEqual([fault?.code, fault?.index], ["head-wrong", 12]);
      assert.match(fault?.message ?? "", message);
    });
  }
});
