import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { it } from "node:test";
import { eventually } from "../support/mesh-process.ts";

/** A process with a guard over a child of its own and over a group of two. It says all numbers, and waits for ever. */
const program = (directory: string): string => `
  import { spawn } from "node:child_process";
  import { Guard } from ${JSON.stringify(join(import.meta.dirname, "guard.ts"))};
  const guard = new Guard(${JSON.stringify(directory)});
  const one = spawn("sleep", ["600"]);
  guard.add(one.pid);
  const group = spawn("/bin/sh", ["-c", "sleep 600 & echo $!; wait"], { detached: true });
  guard.add(-group.pid);
  group.stdout.once("data", (inner) => console.log(one.pid, group.pid, String(inner).trim()));
`;

it("leaves no process, no group of processes and no directory when its process is killed", async () => {
  const directory = await mkdtemp(join(tmpdir(), "portcullis-guard-"));
  const words = ["--input-type=module", "--eval", program(directory)];
  const owner = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface({ input: owner.stdout }), "line");
  const pids = String(line).split(" ").map(Number);
  assert.equal(pids.length, 3);
  assert.deepEqual(pids.map(isRunning), [true, true, true]);
  owner.kill("SIGKILL");
  await eventually("nothing is left", () => !pids.some(isRunning) && !existsSync(directory));
});

/** A zombie is not. */
function isRunning(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", `${pid}`], { encoding: "utf8" });
  return stdout.trim() !== "" && !stdout.startsWith("Z");
}
