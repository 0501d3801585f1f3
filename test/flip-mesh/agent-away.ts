/** What an agent that is away does to a verdict and to a flip: both know at once what they do not know, and whose evidence it is. */

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { FlipMesh } from "./flip-mesh.ts";
import { isSafe, type CheckValue, type RunningVerb } from "./operator.ts";

const target = "shop/api";
/** Between two reports of an agent. */
const reportMs = 10_000;
/** For the server to see that a connection was closed. */
const atOnceMs = 1_000;

/** It is safe before and after. */
export async function isUnknownAtOnce(mesh: FlipMesh): Promise<void> {
  const { operator } = mesh;
  await mesh.agent("api").kill();
  const { code, value } = await operator.checkUntil(target, isUnknown, atOnceMs);
  assert.equal(code, 3);
  assert.deepEqual(value.callers, []);
  assert.deepEqual(
    value.silent.map(({ name, reason }) => `${name} ${reason}`),
    ["proxy/shop/api-9 away"],
  );
  const flip = await operator.say("mtls", "flip", target, "--to", "strict", "--yes");
  assert.equal(flip.code, 4, flip.out + flip.err);
  assert.match(flip.out + flip.err, /proxy\/shop\/api-9/);
  await mesh.agent("api").restart();
  await operator.checkUntil(target, isSafe, 30_000);
}

/** It has been ordered a moment ago. */
export async function waitsForAgent(mesh: FlipMesh, flip: RunningVerb): Promise<void> {
  await flip.says(/flip 1 of shop\/api has begun\n/);
  await mesh.agent("api").kill();
  await flip.says(/nothing is strict yet: .*waits for .*shop\/api-9/);
  // By then all others have told of the time since the order.
  await sleep(reportMs + 1_000);
  assert.doesNotMatch(flip.out, /stage/);
  await mesh.agent("api").restart();
  await flip.says(/stage 1 of 3 \(1\) is open/);
  // Calls with mTLS that Envoy has counted while its agent was away: nobody without it was among them.
  assert.ok((await mesh.operator.check(target)).value.lost > 0);
}

function isUnknown({ verdict }: CheckValue): boolean {
  return verdict === "unknown";
}
