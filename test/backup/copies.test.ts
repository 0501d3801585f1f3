/** Copies that are made while the deny list changes: the log must not be two changes ahead of the store. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DatabaseCopies } from "../../src/edge/backup/database-copies.ts";
import { lockStoppedStore } from "../../src/edge/backup/stopped-store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { makeDataDirectory } from "./data-directory.ts";

/** @param changes how many copies the deny list changes under. @returns how many copies of the store were made */
async function copiesUnder(changes: number): Promise<number> {
  using directory = temporaryDirectory();
  const dataDir = directory.path;
  await makeDataDirectory(dataDir);
  using store = await lockStoppedStore(dataDir);
  let copies = 0;
  await using _ = await DatabaseCopies.make({
    dataDir,
    copyStore: (path) => {
      store.copyTo(path);
      copies++;
    },
    denySequence: () => Math.min(copies, changes),
    version: "0",
    nowMs: Date.now,
  });
  return copies;
}

describe("a copy of both databases", () => {
  it("is made anew while the deny list changes under it", async () => {
    assert.deepEqual(await Promise.all([0, 1, 2].map(copiesUnder)), [1, 2, 3]);
  });

  it("is given up where the deny list changes each time", async () => {
    await assert.rejects(copiesUnder(3), { code: "backup-failed", message: /each of 3 copies/ });
  });
});
