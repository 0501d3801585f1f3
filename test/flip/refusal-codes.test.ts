/** Refusals that only a race, or a full store, brings: each reaches whoever has asked, with what to do. */

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { describe, it } from "node:test";
import { encodeFlip } from "../../src/core/flip/flip-codec.ts";
import { addCallerWaivers } from "../../src/edge/rpc/flip-client.ts";
import {
  begin,
  openScene,
  operator,
  peerYaml,
  refusedStart,
  serveScene,
  TestClock,
} from "../flips/flips-rig.ts";
import { flipOf } from "../support/flips.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

describe("a server refuses", { timeout: 60_000 }, () => {
  it("with object-changed what was changed while it was judged, and says how to ask again", async () => {
    await using scene = await openScene({ names: ["api-0"] });
    // Which of the two comes first is a matter of chance: about every third time it is the change.
    for (let at = 1; at <= 300; at += 1) {
      const changed = scene.apply(peerYaml("PERMISSIVE", `{ note: "${at}" }`));
      const { result } = await begin(scene, { dryRun: true });
      await changed;
      if (result.case !== "refused") continue;
      const { code, hint } = result.value;
      assert.equal(code, "object-changed");
      return assert.equal(hint, "again: portcullis mtls flip shop/api --to strict");
    }
    assert.fail("no change came while it was judged");
  });

  it("with waivers-full more waivers than are kept, and adds none of them", async () => {
    await using scene = await openScene({ names: ["api-0"], isSafe: false });
    const untilMs = scene.clock.nowMs() + 60_000;
    const waive = async (count: number, target: string) => {
      const names = Array.from({ length: count }, (_, at) => `a/${at}`);
      const asked = { target, names, reason: "they end", operator, untilMs };
      return (await addCallerWaivers(scene.admin, asked)).result;
    };
    assert.equal((await waive(10_000, "shop/api")).case, "waivers");
    const { case: is, value } = await waive(1, "shop/api:8080");
    if (is !== "refused") assert.fail(is);
    assert.equal(value.code, "waivers-full");
    assert.match(value.hint, /^waive fewer/);
    // One that is there is replaced.
    assert.equal((await waive(1, "shop/api")).case, "waivers");
  });

  it("with flips-full one more than may be under way", async () => {
    using directory = temporaryDirectory();
    const dataDir = directory.path;
    const clock = new TestClock();
    await (await serveScene({ dataDir, clock, agents: [], epochMs: 0 }))[Symbol.asyncDispose]();
    const database = new DatabaseSync(join(dataDir, "portcullis.db"));
    const insert = database.prepare("INSERT INTO flips VALUES (?, ?)");
    database.exec("BEGIN");
    for (let id = 1; id <= 1_000; id += 1) {
      const target = { ...flipOf().target, namespace: `ns-${id}`, text: `ns-${id}/api` };
      insert.run(id, encodeFlip(flipOf({ id, target })));
    }
    database.exec("COMMIT");
    database.close();
    await using scene = await openScene({ dataDir, clock, names: ["api-0"] });
    const { code, hint } = await refusedStart(scene);
    assert.equal(code, "flips-full", hint);
  });
});
