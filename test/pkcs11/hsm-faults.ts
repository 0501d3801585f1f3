/** What goes wrong with a SoftHSM that other threads use: until it is disposed. */

import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import type { SoftHsm } from "../support/softhsm.ts";

/** As a device that is pulled out: calls fail at once. */
export function pullOut({ tokenDirectory }: SoftHsm): Disposable {
  const away = `${tokenDirectory}-away`;
  renameSync(tokenDirectory, away);
  mkdirSync(tokenDirectory);
  return {
    [Symbol.dispose]: () => {
      rmdirSync(tokenDirectory);
      renameSync(away, tokenDirectory);
    },
  };
}

/**
 * As a network HSM that does not answer: calls wait in native code, where nobody can interrupt them. SoftHSM reads its
 * token's generation at each, here from a pipe that nobody writes to.
 */
export function hang({ tokenDirectory }: SoftHsm): Disposable {
  const [token = ""] = readdirSync(tokenDirectory);
  const generation = join(tokenDirectory, token, "generation");
  const pipe = `${generation}-pipe`;
  renameSync(generation, `${generation}-away`);
  execFileSync("mkfifo", [generation]);
  return {
    [Symbol.dispose]: () => {
      renameSync(generation, pipe);
      renameSync(`${generation}-away`, generation);
      // Who waits for a writer gets one, and then the end of the file.
      closeSync(openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK));
      rmSync(pipe);
    },
  };
}
