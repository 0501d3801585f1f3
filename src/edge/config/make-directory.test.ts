import assert from "node:assert/strict";
import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { errnoOf } from "./errno.ts";
import { makeDirectory } from "./make-directory.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
let count = 0;
const newPath = (...parts: readonly string[]): string =>
  join(temporary.path, `d-${count++}`, ...parts);
const modeOf = (path: string): number => statSync(path).mode & 0o777;

describe("makes a directory", () => {
  it("and each missing parent, with the mode", async () => {
    const path = newPath();
    await makeDirectory(join(path, "a", "b"), 0o700);
    assert.deepEqual(
      [path, join(path, "a"), join(path, "a", "b")].map(modeOf),
      [0o700, 0o700, 0o700],
    );
  });

  it("beside whoever makes the same one", async () => {
    const path = newPath("a", "b", "c");
    await Promise.all(Array.from({ length: 8 }, async () => makeDirectory(path, 0o700)));
    assert.ok(statSync(path).isDirectory());
  });

  it("that is there already, or a link to one, without a change", async () => {
    const path = newPath();
    mkdirSync(path);
    chmodSync(path, 0o755);
    const link = newPath();
    symlinkSync(path, link);
    for (const each of [path, link, "/"]) await makeDirectory(each, 0o700);
    assert.equal(modeOf(path), 0o755);
  });
});

const refused: readonly (readonly [string, string, () => string])[] = [
  // Node's recursive mkdir never ends here.
  ["below a parent that is there and answers ENOENT", "ENOENT", () => "/proc/portcullis"],
  ["deeper below such a parent", "ENOENT", () => "/proc/portcullis/a/b"],
  ["in place of a file", "EEXIST", () => file()],
  ["below a file", "ENOTDIR", () => join(file(), "a", "b")],
  ["in place of a link to nowhere", "EEXIST", () => link()],
];

for (const [what, errno, make] of refused) {
  it(`makes no directory ${what}: ${errno}`, { timeout: 5_000 }, async () => {
    await assert.rejects(makeDirectory(make(), 0o700), (error) => errnoOf(error) === errno);
  });
}

function file(): string {
  const path = newPath();
  writeFileSync(path, "");
  return path;
}

function link(): string {
  const path = newPath();
  symlinkSync(join(temporary.path, "nowhere"), path);
  return path;
}
