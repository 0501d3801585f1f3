/** Where things are when nobody says where. Every default path is made here and nowhere else. */

import { resolve } from "node:path";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `portcullis dev`'s directory, and so the one in which operator verbs look for a server first. The
 * uid is in the name because the parent is shared; that the directory is really ours is for
 * `ensurePrivateDir` to say.
 */
export function defaultDevDataDir(env: Environment): string {
  return resolve(env["TMPDIR"] || "/tmp", `portcullis-dev-${process.geteuid?.()}`);
}
