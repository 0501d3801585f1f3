/** `kill -9` before and after each durable write of a flip and of its object: the next start goes on from the last durable line. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { hash } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { getFlips } from "../../src/edge/rpc/flip-client.ts";
import { Store } from "../../src/edge/store/store.ts";
import { eventsOf } from "../server/rotation-rig.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import { eventually } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
  flipPort,
  modesAre,
  objectMode,
  reached,
  revert,
  serveScene,
  settle,
  TestClock,
  type FlipsScene,
} from "./flips-rig.ts";
import { flippedNames, flippingProgram } from "./flipping-process.ts";
import { RawAgent } from "./raw-agent.ts";

const preload = join(import.meta.dirname, "../log/kill-at-durable.ts");

/** @returns whether it was killed: there are so many writes of a name only */
async function flipUntil(dataDir: string, kill: string): Promise<boolean> {
  const args = ["--import", preload, flippingProgram, dataDir];
  const env = { ...process.env, PORTCULLIS_TEST_KILL: kill };
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"], env });
  const [code, signal] = await once(child, "exit");
  if (signal === null) assert.equal(code, 0);
  return signal !== null;
}

/** What is stored stands in the log, and what the objects say beyond it is held back. */
async function assertWhole(dataDir: string): Promise<readonly string[]> {
  const documents = await (async () => {
    using store = await Store.open(dataDir, "server");
    return store.flips.all().map(({ document }) => document);
  })();
  const events = eventsOf(dataDir, "flip-changed");
  const digests = new Set(events.map(({ digest }) => Buffer.from(digest).toString("hex")));
  for (const document of documents) assert.ok(digests.has(hash("sha256", document)));
  return documents;
}

/** From wherever it stands, to where nothing is strict any more. */
async function finish(scene: FlipsScene): Promise<void> {
  const state = async (): Promise<string> =>
    (await getFlips(scene.admin, "shop/api")).at(-1)?.state ?? "";
  const began = await state();
  if (began === "editing" || began === "stage") {
    await eventually(async () => {
      await settle(scene);
      await sleep(100);
      return (await state()) === "watching";
    });
    await modesAre(scene, "strict", "strict");
  }
  if (began !== "" && began !== "reverting" && began !== "reverted") await revert(scene);
  if (began !== "") await reached(scene, "reverted");
  assert.equal(await objectMode(scene), "PERMISSIVE");
  await modesAre(scene, "permissive", "permissive");
}

/** Undefined until all of them were told something. */
function firstTold(agents: readonly RawAgent[]): readonly (ServerMode | undefined)[] | undefined {
  if (agents.some(({ told }) => told.length === 0)) return undefined;
  return agents.map(({ told }) => told[0]?.get(flipPort));
}

describe("a flip whose server is killed", () => {
  for (const [name, least] of [
    ["flip-change", 1],
    // The first one is of a test's own objects.
    ["resources-change", 2],
  ] as const) {
    for (const moment of ["before", "after"]) {
      it(`${moment} any write of ${name} holds back what it held back, and goes on to its end`, async (t) => {
        const states: string[] = [];
        for (let number = least; ; number++) {
          using directory = temporaryDirectory();
          const dataDir = directory.path;
          if (!(await flipUntil(dataDir, `${name}:${moment}:${number}`))) break;
          const [document = "{}"] = await assertWhole(dataDir);
          const stored: { state?: { kind: string }; opened?: { workloads: string[] }[] } =
            JSON.parse(document);
          const kind = stored.state?.kind ?? "none";
          const opened = stored.opened ?? [];
          states.push(`${kind} ${opened.length}`);
          const clock = new TestClock(60_000);
          const agents = flippedNames.map((each) => new RawAgent(each));
          const epochMs = clock.nowMs() - 60_000;
          await using scene = await serveScene({ dataDir, clock, agents, epochMs });
          for (const agent of agents) await agent.open(scene.plane);
          const isStrict = kind === "watching" || kind === "stage";
          const wanted = [0, 1].map((at) =>
            isStrict && opened.length > at ? "strict" : "permissive",
          );
          assert.deepEqual(await eventually(() => firstTold(agents)), wanted, states.join());
          await scene.covered();
          await finish(scene);
        }
        t.diagnostic(`killed at ${states.join(", ")}`);
        assert.equal(states.length, name === "flip-change" ? 9 : 2);
      });
    }
  }
});
