/** `npm run demo` for real: two Envoys, a minute of traffic, two crashes. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { testEnvoy } from "./support/envoy.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

test("plays the demo in 75 s without a failed request", async () => {
  const env = { ...process.env, ENVOY: await testEnvoy() };
  const startedMs = performance.now();
  const words = ["run", "--silent", "demo", "--", "--seed", "1", "--json"];
  const demo = spawnSync("npm", words, { cwd: root, env, encoding: "utf8" });
  const elapsedMs = performance.now() - startedMs;
  const summary: unknown = JSON.parse(demo.stdout);
  assert.partialDeepStrictEqual(
    summary,
    {
      ok: true,
      unmet: [],
      seed: 1,
      requests: { failed: 0 },
      probes: { failed: 0 },
      envoys: { client: { nacks: 0 }, server: { nacks: 0 } },
    },
    demo.stderr,
  );
  assert.equal(demo.status, 0, demo.stderr);
  assert.match(demo.stderr, /^PASS: /m);
  assert(elapsedMs <= 75_000, `${elapsedMs} ms`);
});
