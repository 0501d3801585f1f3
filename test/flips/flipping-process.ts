/**
 * A server that flips two workloads in two stages and takes it back, and is killed on the way: `node flipping-process.ts DATA_DIR`. Where
 * it is killed, `PORTCULLIS_TEST_KILL` says (test/log/kill-at-durable.ts).
 */

import { begun, inForce, openScene, reached, revert, settle } from "./flips-rig.ts";

/** Its own file. */
export const flippingProgram: string = import.meta.filename;

export const flippedNames: readonly string[] = ["api-0", "api-1"];

async function flip(dataDir: string): Promise<void> {
  await using scene = await openScene({ dataDir, names: flippedNames });
  await begun(scene, { stages: "1,all" });
  await inForce(scene, 0);
  await settle(scene);
  await reached(scene, "watching");
  await revert(scene);
  await reached(scene, "reverted");
}

if (import.meta.main) await flip(process.argv[2] ?? "");
