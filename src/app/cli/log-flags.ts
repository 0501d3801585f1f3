/** Which log a verb reads, and which key it believes. Without the log itself: that is loaded where it is read. */

import { defaultDevDataDir } from "../../edge/config/paths.ts";
import type { Context } from "./command.ts";

/** For the table of a verb that reads a log. */
export const logFlags = {
  "data-dir": {
    type: "string",
    valueName: "DIR",
    help: "the server's data directory, or a copy of it",
    notes: ["default the directory of portcullis dev"],
  },
} as const;

/** For the table of a verb that verifies. */
export const logKeyFlag = {
  "log-key": {
    type: "string",
    valueName: "VKEY",
    help: "the log's verifier key, as audit key prints it",
  },
} as const;

export function logDirectory(
  flags: { readonly "data-dir": string | undefined },
  { env }: Pick<Context, "env">,
): string {
  return flags["data-dir"] ?? defaultDevDataDir(env);
}
