import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { StateFile, type StateFileOptions } from "./state-file.ts";

interface Scene extends Disposable {
  readonly path: string;
  readonly file: StateFile;
  readonly said: string[];
  readonly hasFailed: Promise<void>;
  text: string;
}

/** In a directory that is not there yet. */
function openScene(options: Partial<StateFileOptions> = {}): Scene {
  const directory = temporaryDirectory();
  const path = join(directory.path, "state", "file.json");
  const { promise: hasFailed, resolve } = Promise.withResolvers<void>();
  const said: string[] = [];
  const scene = { path, said, hasFailed, text: "" };
  const file = new StateFile({
    path,
    encode: () => Buffer.from(scene.text),
    onWritten: () => void said.push("written"),
    onFailure: () => {
      said.push("failed");
      resolve();
    },
    ...options,
  });
  return Object.assign(scene, { file, [Symbol.dispose]: () => directory[Symbol.dispose]() });
}

test("writes what is in memory when it writes, and once for all that comes in one turn", async () => {
  using scene = openScene();
  mkdirSync(dirname(scene.path));
  for (const text of ["a", "b", "c"]) {
    scene.text = text;
    scene.file.write();
  }
  await scene.file.settled();
  assert.deepEqual([readFileSync(scene.path, "utf8"), scene.said], ["c", ["written"]]);
});

test("tries again what has failed, at the latest when it is to settle", async () => {
  using scene = openScene();
  scene.text = "a";
  scene.file.write();
  await scene.hasFailed;
  mkdirSync(dirname(scene.path));
  await scene.file.settled();
  assert.deepEqual([readFileSync(scene.path, "utf8"), scene.said], ["a", ["failed", "written"]]);
});

test("settles where nothing can be written, too", async () => {
  using scene = openScene();
  scene.file.write();
  await scene.hasFailed;
  await scene.file.settled();
  assert.deepEqual(scene.said, ["failed", "failed"]);
});

test("does not wait out its pause when it is to settle", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  using scene = openScene({ pauseMs: 3_600_000, onWritten: resolve });
  mkdirSync(dirname(scene.path));
  scene.text = "a";
  scene.file.write();
  await promise;
  scene.text = "b";
  scene.file.write();
  await scene.file.settled();
  assert.equal(readFileSync(scene.path, "utf8"), "b");
});

test("is gone once it is destroyed, and does not come back", async () => {
  using scene = openScene();
  mkdirSync(dirname(scene.path));
  scene.file.write();
  await scene.file.destroy();
  scene.file.write();
  await scene.file.settled();
  assert.equal(existsSync(scene.path), false);
});
