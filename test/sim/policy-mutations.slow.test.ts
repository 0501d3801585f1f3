/** Bugs of the rollout that are planted on purpose: the simulator of policies finds each of them. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { policyMutations } from "../../sim/policy/mutations.ts";

const root = join(import.meta.dirname, "..", "..");
const loader = join(root, "sim", "mutation", "loader.ts");
const main = join(root, "sim", "policy", "main.ts");

function runWith(name: string): Promise<string> {
  const args = ["--import", loader, main, "--seed", "2", "--schedules", "20000", "--quiet"];
  const env = { ...process.env, SIM_MUTATION: name };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env }, (_, stdout, stderr) => resolve(stdout + stderr));
  });
}

describe("the simulator of policies finds", { concurrency: 2 }, () => {
  for (const { name } of policyMutations) {
    it(name, async () => assert.match(await runWith(name), /^VIOLATION: /m));
  }
});
