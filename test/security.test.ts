/** A promise of SECURITY.md is worth the test that holds it: each test and file that it names exists. */

import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";

const root = join(import.meta.dirname, "..");
const text = readFileSync(join(root, "SECURITY.md"), "utf8");
const rows = [...text.matchAll(/^\| (\d+) +\| (.+) \| (.+) \|$/gm)];
const tests = globSync("{src,test}/**/*.test.ts", { cwd: root })
  .map((file) => readFileSync(join(root, file), "utf8"))
  .join("\n");

describe("each promise of SECURITY.md", () => {
  it("is numbered, one after the other", () => {
    assert.ok(rows.length >= 17);
    assert.deepEqual(
      rows.map(([, number]) => Number(number)),
      rows.map((_, index) => index + 1),
    );
  });

  for (const [, number, , held = ""] of rows) {
    it(`${number} names tests that exist`, () => {
      const titles = [...held.matchAll(/"([^"]+)"/g)].map(([, title = ""]) => title);
      const files = [...held.matchAll(/`([^`]+)`/g)].map(([, file = ""]) => file);
      assert.ok(titles.length + files.length > 0, "no test is named");
      for (const title of titles) assert.ok(tests.includes(`"${title}"`), `no test: ${title}`);
      for (const file of files) assert.ok(existsSync(join(root, file)), `no file: ${file}`);
    });
  }
});
