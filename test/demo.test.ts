/** The demo's process: its command line, and that nothing outlives it. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { temporaryDirectory } from "./support/temporary-directory.ts";
import { testEnvoy } from "./support/envoy.ts";

const main = fileURLToPath(new URL("../src/app/demo/main.ts", import.meta.url));

test("shows its help, and refuses what it does not understand", () => {
  const help = spawnSync(process.execPath, [main, "--help"], { encoding: "utf8" });
  assert.equal(help.status, 0);
  assert.match(help.stdout, /^Usage:$/m);
  const wrong = spawnSync(process.execPath, [main, "--seed=x"], { encoding: "utf8" });
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /^error: --seed: .*\nhint: npm run demo -- --help\n$/);
});

test("stops all that it started, and removes its files, when it is interrupted", async () => {
  const ENVOY = await testEnvoy();
  for (const [act, moment, signal, status] of [
    [1, "ready at", "SIGTERM", 143],
    [1, "all is up", "SIGINT", 130],
    [2, "FROZEN", "SIGINT", 130],
    [3, "has got an Envoy", "SIGINT", 130],
  ] as const) {
    using home = temporaryDirectory();
    const demo = spawn(process.execPath, [main, "--act", `${act}`], {
      env: { ...process.env, ENVOY, TMPDIR: home.path },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = once(demo, "close");
    const stderr = text(demo.stderr);
    demo.stdout.setEncoding("utf8").on("data", (lines: string) => {
      if (lines.includes(moment)) demo.kill(signal);
    });
    assert.deepEqual(await ended, [status, null], await stderr);
    assert.deepEqual(readdirSync(home.path), []);
    assert.doesNotMatch(commandLines(), new RegExp(home.path));
  }
});

test("stops all that it started when nobody reads its story any more", async () => {
  using home = temporaryDirectory();
  const ENVOY = await testEnvoy();
  const env = { ...process.env, ENVOY, TMPDIR: home.path };
  const demo = spawn(process.execPath, [main], { env, stdio: ["ignore", "pipe", "ignore"] });
  demo.stdout.once("data", () => demo.stdout.destroy());
  const [status] = await once(demo, "exit");
  assert.equal(status, 1);
  assert.deepEqual(readdirSync(home.path), []);
  assert.doesNotMatch(commandLines(), new RegExp(home.path));
});

function commandLines(): string {
  return spawnSync("ps", ["-A", "-o", "args="], { encoding: "utf8" }).stdout;
}
