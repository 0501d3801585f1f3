/** Where and on what a bench ran: figures without it mean nothing. */

import { execFile } from "node:child_process";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { promisify } from "node:util";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly system: string;
  readonly node: string;
}

export function describeMachine(): Machine {
  return Object.freeze({
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryMiB: Math.round(totalmem() / 1024 / 1024),
    system: `${process.platform} ${release()} ${process.arch}`,
    node: process.version,
  });
}

/** The commit that is checked out, with `-dirty` if files differ from it; or `unknown`. */
export async function describeCommit(): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(
      "git",
      ["describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"],
      { cwd: import.meta.dirname },
    );
    return stdout.trim();
  } catch {
    return "unknown";
  }
}
