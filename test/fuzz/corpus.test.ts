/** Every input of the corpus through its target, for ever: what once showed a fault shows it again, or it is mended. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { readCorpus } from "./corpus.ts";
import { faultOf, threadCpuMs } from "./fault.ts";
import { findTarget, targetNames } from "./targets.ts";

/** A folder that grows beyond this is one to be thinned out. */
const FILES_MAX = 200;
const FILE_BYTES_MAX = 65_536;

describe("the corpus", () => {
  it("has a folder for each target, and none besides", () => {
    const entries = readdirSync(join(import.meta.dirname, "..", "corpus"), { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    assert.deepEqual(folders.toSorted(), targetNames.toSorted());
  });

  for (const name of targetNames) {
    it(`holds no fault of ${name}, is small, and has what is taken and its seeds`, async () => {
      const target = await findTarget(name);
      const files = readCorpus(target);
      const names = new Set(files.map((file) => file.name));
      assert.deepEqual(
        Object.keys(target.seeds()).filter((seed) => !names.has(seed)),
        [],
      );
      assert.ok(files.length <= FILES_MAX);
      let taken = 0;
      for (const { name: file, input } of files) {
        assert.ok(input.length <= FILE_BYTES_MAX, file);
        const outcome = faultOf(target, input, threadCpuMs);
        if (outcome === "accepted") taken++;
        if (typeof outcome !== "string")
          throw new Error(`${name}/${file}`, { cause: outcome.error });
      }
      assert.ok(taken > 0, "an oracle that sees no input taken has seen nothing");
    });
  }
});
