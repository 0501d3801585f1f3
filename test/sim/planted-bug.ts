/** What a simulator of policies or flips says with a bug planted in it. */

import { execFile } from "node:child_process";
import { join } from "node:path";
import type { Mutation } from "../../sim/mutation/mutations.ts";

const sim = join(import.meta.dirname, "..", "..", "sim");
const loader = join(sim, "mutation", "loader.ts");
const bounds = ["--schedules", "20000", "--quiet"];

/** @param simulator its folder */
export function runWithBug(
  simulator: "policy" | "flip",
  { name, seed = 2 }: Pick<Mutation, "name" | "seed">,
): Promise<string> {
  const main = join(sim, simulator, "main.ts");
  const args = ["--import", loader, main, "--seed", String(seed), ...bounds];
  const env = { ...process.env, SIM_MUTATION: name };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env }, (_, stdout, stderr) => resolve(stdout + stderr));
  });
}
