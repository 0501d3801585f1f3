/** What a simulator of policies or flips says with a bug planted in it. */

import { execFile } from "node:child_process";
import { join } from "node:path";

const sim = join(import.meta.dirname, "..", "..", "sim");
const loader = join(sim, "mutation", "loader.ts");
const bounds = ["--seed", "2", "--schedules", "20000", "--quiet"];

/** @param simulator its folder @param name of the bug */
export function runWithBug(simulator: "policy" | "flip", name: string): Promise<string> {
  const args = ["--import", loader, join(sim, simulator, "main.ts"), ...bounds];
  const env = { ...process.env, SIM_MUTATION: name };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env }, (_, stdout, stderr) => resolve(stdout + stderr));
  });
}
