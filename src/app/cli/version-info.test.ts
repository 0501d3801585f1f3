import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { gitCommit, packageVersion } from "./version-info.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";

for (const [name, files, want] of [
  ["a branch", { HEAD: "ref: refs/heads/main\n", "refs/heads/main": `${COMMIT}\n` }, COMMIT],
  [
    "a packed branch",
    { HEAD: "ref: refs/heads/main\n", "packed-refs": `# pack-refs\n${COMMIT} refs/heads/main\n` },
    COMMIT,
  ],
  ["a detached head", { HEAD: `${COMMIT}\n` }, COMMIT],
  ["a branch without commits", { HEAD: "ref: refs/heads/main\n" }, undefined],
  ["no clone", {}, undefined],
] as const) {
  test(`reads the commit of ${name}`, () => {
    using directory = temporaryDirectory();
    mkdirSync(join(directory.path, ".git/refs/heads"), { recursive: true });
    for (const [path, text] of Object.entries(files)) {
      writeFileSync(join(directory.path, ".git", path), text);
    }
    assert.equal(gitCommit(directory.path), want);
  });
}

test("reads the version of the package", () => {
  assert.match(packageVersion(), /^\d+\.\d+\.\d+/);
});
