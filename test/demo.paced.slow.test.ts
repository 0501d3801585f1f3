/** `npm run demo` for real: an act with two Envoys and two crashes, one with eight Envoys and another root, and one that goes strict. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
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

interface Played {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function play(...words: readonly string[]): Promise<Played> {
  const env = { ...process.env, ENVOY: await testEnvoy() };
  const args = ["run", "--silent", "demo", "--", ...words];
  return await new Promise((resolve) => {
    execFile("npm", args, { cwd: root, env }, (error, stdout, stderr) => {
      resolve({ status: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}

// Each mostly waits: together they take as long as the longest.
describe("the demo", { concurrency: 3 }, () => {
  for (const act of [1, 2, 3] as const) {
    it(`plays act ${act} in 75 s without a failed request`, async () => {
      const startedMs = performance.now();
      const { status, stdout, stderr } = await play("--act", `${act}`, "--seed", "1", "--json");
      const elapsedMs = performance.now() - startedMs;
      assert.equal(status, 0, stderr);
      const document: unknown = JSON.parse(stdout);
      const expected = { ok: true, acts: [{ act, ...promised[act] }] };
      assert.partialDeepStrictEqual(document, expected, stderr);
      assert.match(stderr, /^PASS: /m);
      assert(elapsedMs <= 75_000, `${elapsedMs} ms`);
    });
  }
});
