/** Generated code is committed; this holds it against what the .proto files generate now. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";

const root = join(import.meta.dirname, "..");

it("src/gen is what `npm run gen` makes of proto/", async (t) => {
  const out = await mkdtemp(join(tmpdir(), "portcullis-gen-"));
  t.after(() => rm(out, { recursive: true, force: true }));
  execFileSync("buf", ["generate", "--output", out], { cwd: root });
  const generated = globSync("**/*.ts", { cwd: join(out, "src/gen") }).toSorted();
  assert.deepEqual(globSync("**/*.ts", { cwd: join(root, "src/gen") }).toSorted(), generated);
  for (const file of generated) {
    assert.equal(
      readFileSync(join(root, "src/gen", file), "utf8"),
      readFileSync(join(out, "src/gen", file), "utf8"),
      file,
    );
  }
});
