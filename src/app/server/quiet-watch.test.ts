import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { eventually } from "../../../test/support/control-plane.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { QuietWatch } from "./quiet-watch.ts";

const pollMs = 10;
const quietMs = 300;

interface Rig extends Disposable {
  readonly watch: QuietWatch;
  readonly paths: readonly [string, string];
  readonly told: () => number;
}

/** On one file that is there, and one that is not. */
async function startRig(): Promise<Rig> {
  const directory = temporaryDirectory();
  const paths = [join(directory.path, "a"), join(directory.path, "b")] as const;
  writeFileSync(paths[0], "a");
  let count = 0;
  const watch = new QuietWatch({ paths, pollMs, quietMs, onQuiet: () => count++ });
  await watch.acknowledge();
  return {
    watch,
    paths,
    told: () => count,
    [Symbol.dispose]: () => {
      watch[Symbol.dispose]();
      directory[Symbol.dispose]();
    },
  };
}

describe("a watch", () => {
  const changes: readonly (readonly [string, (paths: readonly [string, string]) => void])[] = [
    ["is written to", ([a]) => writeFileSync(a, "other")],
    ["appears", ([, b]) => writeFileSync(b, "b")],
    ["goes away", ([a]) => rmSync(a)],
  ];
  for (const [title, change] of changes) {
    test(`tells once that a file ${title}`, async () => {
      using rig = await startRig();
      change(rig.paths);
      await eventually(() => rig.told() === 1);
      await setTimeout(2 * quietMs);
      assert.equal(rig.told(), 1);
    });
  }

  test("tells once of what may have changed before its first look", async () => {
    using directory = temporaryDirectory();
    const paths = [join(directory.path, "a")];
    let told = 0;
    using _ = new QuietWatch({ paths, pollMs, quietMs, onQuiet: () => told++ });
    writeFileSync(join(directory.path, "a"), "a");
    await eventually(() => told === 1);
    await setTimeout(2 * quietMs);
    assert.equal(told, 1);
  });

  test("tells nothing while files change, and once when they are quiet", async () => {
    using rig = await startRig();
    for (let round = 0; round < 8; round++) {
      writeFileSync(rig.paths[round % 2 === 0 ? 0 : 1], `${round}`);
      await setTimeout(quietMs / 4);
      assert.equal(rig.told(), 0);
      assert.ok(rig.watch.isChanging);
    }
    await eventually(() => rig.told() === 1);
    assert.ok(!rig.watch.isChanging);
  });

  test("tells nothing of what is read for another reason, and of what changes after that", async () => {
    using rig = await startRig();
    writeFileSync(rig.paths[0], "first");
    await rig.watch.acknowledge();
    await setTimeout(2 * quietMs);
    assert.equal(rig.told(), 0);
    writeFileSync(rig.paths[0], "second one");
    await eventually(() => rig.told() === 1);
  });

  test("tells nothing when it is disposed", async () => {
    using rig = await startRig();
    writeFileSync(rig.paths[0], "other");
    await eventually(() => rig.watch.isChanging);
    rig.watch[Symbol.dispose]();
    await setTimeout(2 * quietMs);
    assert.equal(rig.told(), 0);
  });
});
