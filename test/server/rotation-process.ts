/**
 * A server that is killed in the middle of a rotation: `node rotation-process.ts DATA_DIR ARMED_FILE ORDER STEP...`. Armed
 * when it is ready, it dies at the durable write that the order names (`before:3`), or ends when the last step is done.
 */

import { writeFileSync } from "node:fs";
import { startControlPlane } from "../support/control-plane.ts";
import { prepare, step } from "./rotation-rig.ts";

/** Its own file. */
export const rotatingProgram: string = import.meta.filename;

async function rotate([dataDir = "", armed = "", order = "", ...steps]: readonly string[]) {
  await using it = await startControlPlane({ flags: { "data-dir": dataDir } });
  writeFileSync(armed, order);
  for (const each of steps) {
    if (each === "prepare") await prepare(it);
    if (each === "activate" || each === "retire") await step(it, each);
  }
}

if (import.meta.main) await rotate(process.argv.slice(2));
