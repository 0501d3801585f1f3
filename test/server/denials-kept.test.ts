/** A denial that has ended is forgotten, but not by a process that has just started: its clock may be wrong. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { eventually, startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { runVerb } from "./portcullis-process.ts";

const target = "spiffe://cluster.local/ns/shop/sa/cart";
const minuteMs = 60_000;

async function isListed({ config }: TestControlPlane): Promise<boolean> {
  return (await runVerb(["deny", "list", "--data-dir", config.dataDir])).stdout.includes(target);
}

test("an ended denial is kept for ten minutes of a process, and then forgotten", async () => {
  mock.timers.enable({ apis: ["setInterval"] });
  try {
    await using it = await startControlPlane();
    const claim = ["--reason", "test", "--until", "1m", "--data-dir", it.config.dataDir];
    // 3 warns of an identity that never had a certificate.
    assert.equal((await runVerb(["deny", "add", target, ...claim])).status, 3);
    it.advance(9 * minuteMs);
    mock.timers.tick(minuteMs);
    assert.ok(await isListed(it));
    it.advance(minuteMs);
    mock.timers.tick(minuteMs);
    await eventually(async () => !(await isListed(it)));
  } finally {
    mock.timers.reset();
  }
});
