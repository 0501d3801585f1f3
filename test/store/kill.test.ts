/** What the data directory is after `kill -9` at each durable write: as before it or as after it, and good to go on with. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { durableWrites } from "../../src/edge/store/durable.ts";
import { Store } from "../../src/edge/store/store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { scenarios } from "./durable-scenarios.ts";
import { killedProgram } from "./killed-process.ts";

const root = join(import.meta.dirname, "..", "..");

async function killAt(name: string, moment: string, dataDir: string): Promise<void> {
  const args = [killedProgram, name, moment, dataDir];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
  const [, signal] = await once(child, "exit");
  assert.equal(signal, "SIGKILL", "it ended before it was killed");
}

describe("kill -9", () => {
  for (const [name, { prepare, isThere, write }] of Object.entries(scenarios)) {
    for (const moment of ["before", "after"]) {
      it(`${moment} the durable write ${name} leaves all of it or nothing, and a store that goes on`, async () => {
        using directory = temporaryDirectory();
        const dataDir = directory.path;
        await prepare?.(dataDir);
        await killAt(name, moment, dataDir);
        assert.equal(await isThere(dataDir), moment === "after");
        if (moment === "after") return (await Store.open(dataDir, "server"))[Symbol.dispose]();
        await write(dataDir);
        assert.equal(await isThere(dataDir), true);
      });
    }
  }
});

describe("every durable write", () => {
  it("has a test that kills the process at it", () => {
    const tested = new Set(Object.keys(scenarios));
    // test/log/kill.test.ts takes its names from the list, by this beginning.
    const missing = durableWrites.filter((name) => !name.startsWith("log-") && !tested.has(name));
    assert.deepEqual(missing, []);
    assert.ok([...tested].every((name) => durableWrites.some((each) => each === name)));
  });

  it("goes through the one door", () => {
    const exempt = new Set([
      // What they write can be had again: a download, and dev's keys.
      "src/edge/envoy/binary.ts",
      "src/app/dev/token-issuer.ts",
      // Read back before it gets its name.
      "src/edge/backup/create-backup.ts",
    ]);
    const byHand = /\bexec\("(?:BEGIN IMMEDIATE"|COMMIT)|\b(?:rename|renameSync)\(/;
    const others = globSync("src/**/*.ts", { cwd: root }).filter((file) => {
      if (file.endsWith(".test.ts") || exempt.has(file)) return false;
      const text = readFileSync(join(root, file), "utf8");
      return byHand.test(text) && !/\bdurable(?:<T>)?\(/.test(text);
    });
    assert.deepEqual(others, []);
  });
});
