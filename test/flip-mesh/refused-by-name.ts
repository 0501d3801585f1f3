/**
 * The control of `--revert-on-refused`: as many workloads as were asked for, each known by name and each counted once, take a flip back,
 * once, with an alarm. One fewer does not, and whom the operator has waived does not count.
 */

import assert from "node:assert/strict";
import type { FlipMesh } from "./flip-mesh.ts";
import { apis, legacy, type Workload } from "./manifests.ts";
import type { CheckValue } from "./operator.ts";
import { plaintextCall } from "./unmeshed-calls.ts";

const target = "shop/api";
const [first, second] = apis;
const last = apis.at(-1);

/** It is permissive, and `legacy/late` has called it a moment ago. */
export async function takeBackByName(mesh: FlipMesh): Promise<void> {
  const { operator } = mesh;
  const { late, nightly, weekly } = legacy;
  const call = async (caller: Workload, called: Workload | undefined): Promise<string> => {
    const { address } = called ?? assert.fail();
    return plaintextCall({ localAddress: caller.address, address, port: mesh.ports.http });
  };
  await operator.checkUntil(target, isOnly("legacy/late"), 90_000);
  const waiver = ["--waive", "legacy/late", "--reason", "is shut down on Friday", "--for", "10m"];
  const words = ["--stages", "all", "--revert-window", "5m", "--revert-on-refused", "2"];
  const flipWords = ["--to", "strict", "--yes", ...words, ...waiver];
  await using flip = operator.begin("mtls", "flip", target, ...flipWords);
  await flip.says(/all stages are open/, 90_000);

  assert.equal(await call(late, first), "");
  for (const called of [first, second, first]) assert.equal(await call(nightly, called), "");
  await flip.says(/refused caller: legacy\/late /);
  await flip.says(/refused caller: legacy\/nightly /);
  assert.doesNotMatch(flip.out, /taken back/);

  assert.equal(await call(weekly, last), "");
  assert.equal(await flip.ended(), 4, flip.out + flip.err);
  // If the waived one had counted, two would have been there before.
  assert.match(
    flip.out,
    /\nreverted: workloads, by their addresses, were refused: legacy\/nightly, legacy\/weekly\n/,
  );
  for (const called of apis) assert.match(await call(weekly, called), /^HTTP\/1\.1 200/);
  assert.match(await operator.does("get", "pa", "api", "-n", "shop", "-o", "yaml"), /PERMISSIVE/);

  await mesh.crash();
  const again = await operator.say("mtls", "flip", target);
  assert.equal(again.code, 4);
  assert.match(again.out, /^reverted: workloads, by their addresses, were refused/m);
  assert.equal(mesh.alarms("refused"), 1);
}

function isOnly(name: string): (value: CheckValue) => boolean {
  return ({ callers, silent }) =>
    silent.length === 0 && callers.length > 0 && callers.every((each) => each.name === name);
}
