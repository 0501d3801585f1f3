/** What a server outside of a cluster has to do with clusters: nothing. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "../..");

/** Prints each module that the server's own code brings along. */
const program = `
import { registerHooks } from "node:module";
registerHooks({ load: (url, context, next) => (console.log(url), next(url, context)) });
await import(${JSON.stringify(join(root, "src/app/server/control-plane.ts"))});
`;

test("a server that is in no cluster loads nothing of clusters at its start", () => {
  const args = ["--input-type=module", "--eval", program];
  const loaded = execFileSync(process.execPath, args, { encoding: "utf8" }).split("\n");
  assert.ok(loaded.some((url) => url.endsWith("/src/app/server/ports.ts")));
  const ofClusters = loaded.filter((url) => /\/src\/(?:app\/server|edge)\/kube\//.test(url));
  assert.deepEqual(ofClusters, []);
});
