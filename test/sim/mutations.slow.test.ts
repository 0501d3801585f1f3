/** Bugs that are planted on purpose: the simulator finds each of them, or its silence means nothing. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { mutations, type Mutation } from "../../sim/mutation/mutations.ts";

const root = join(import.meta.dirname, "..", "..");
const loader = join(root, "sim", "mutation", "loader.ts");
const main = join(root, "sim", "main.ts");
const seed = "1";
const schedulesMax = "20000";

interface Run {
  readonly status: number;
  readonly text: string;
}

function runWith({ name, focus = [] }: Mutation): Promise<Run> {
  const bounds = ["--seed", seed, "--schedules", schedulesMax, "--focus", focus.join(",")];
  const args = ["--import", loader, main, ...bounds, "--quiet"];
  const env = { ...process.env, SIM_MUTATION: name };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env }, (error, stdout, stderr) => {
      resolve({ status: Number(error?.code ?? 0), text: stdout + stderr });
    });
  });
}

describe("the simulator finds", { concurrency: 2 }, () => {
  for (const mutation of mutations) {
    it(mutation.name, async () => {
      const { status, text } = await runWith(mutation);
      assert.match(text, /^VIOLATION: /m, text);
      assert.equal(status, 1);
    });
  }
});
