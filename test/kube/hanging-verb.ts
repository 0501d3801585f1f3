/** A verb in a process of its own, which is interrupted: a signal is a process's. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const launcher = fileURLToPath(new URL("../../bin/portcullis", import.meta.url));

export interface HangingVerb {
  interrupt(): Promise<{ readonly code: unknown; readonly stderr: string }>;
}

export function hangingVerb(words: readonly string[]): HangingVerb {
  const child = spawn(launcher, words, { stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  return {
    interrupt: async () => {
      child.kill("SIGINT");
      const [code]: unknown[] = await once(child, "close");
      return { code, stderr };
    },
  };
}
