/** `npm run demo` for real: an act with two Envoys and two crashes, one with eight Envoys and another root, and one that goes strict. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { testEnvoy } from "./support/envoy.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

const promised = {
  1: {
    unmet: [],
    seed: 1,
    requests: { failed: 0 },
    probes: { failed: 0 },
    envoys: { client: { nacks: 0 }, server: { nacks: 0 } },
  },
  2: {
    unmet: [],
    seed: 1,
    requests: { failed: 0 },
    tls: { failures: {} },
    wasRolledBack: true,
  },
  3: {
    unmet: [],
    seed: 1,
    requests: { failed: 0 },
    moved: { failed: 0 },
    named: ["legacy/cron", "shop/batch-1"],
    late: { named: ["legacy/report"] },
  },
};

for (const act of [1, 2, 3] as const) {
  test(`plays act ${act} in 75 s without a failed request`, async () => {
    const env = { ...process.env, ENVOY: await testEnvoy() };
    const startedMs = performance.now();
    const words = ["run", "--silent", "demo", "--", "--act", `${act}`, "--seed", "1", "--json"];
    const demo = spawnSync("npm", words, { cwd: root, env, encoding: "utf8" });
    const elapsedMs = performance.now() - startedMs;
    const document: unknown = JSON.parse(demo.stdout);
    const expected = { ok: true, acts: [{ act, ...promised[act] }] };
    assert.partialDeepStrictEqual(document, expected, demo.stderr);
    assert.equal(demo.status, 0, demo.stderr);
    assert.match(demo.stderr, /^PASS: /m);
    assert(elapsedMs <= 75_000, `${elapsedMs} ms`);
  });
}
