/** Which server a verb talks to, and how the next commands are printed: with the flags that led there. */

import type { Environment } from "../../edge/config/paths.ts";
import { ServerTooOldError } from "../../edge/rpc/admin-client.ts";
import { CommandRefusedError } from "../../edge/rpc/command-client.ts";
import { resolveAdminAddress } from "./admin-address.ts";

export interface ServerTarget {
  readonly address: string;
  /** The flags that were given, as a shell takes them; empty where the environment or the default led there. */
  readonly flagText: string;
}

export interface ConnectionValues {
  readonly admin: string | undefined;
  readonly "data-dir": string | undefined;
}

/** @throws EndpointsError, PrivateFileError */
export async function resolveServerTarget(
  flags: ConnectionValues,
  env: Environment,
): Promise<ServerTarget> {
  return { address: await resolveAdminAddress(flags, env), flagText: flagTextOf(flags) };
}

/** Of a server that may not be there. */
export function textTarget(flags: ConnectionValues): Pick<ServerTarget, "flagText"> {
  return { flagText: flagTextOf(flags) };
}

function flagTextOf({ admin, "data-dir": dataDir }: ConnectionValues): string {
  if (admin) return ` --admin ${quoted(admin)}`;
  return dataDir === undefined ? "" : ` --data-dir ${quoted(dataDir)}`;
}

/** A command that is pasted without the flags would go to another server: that of `portcullis dev`. */
export function pasteable({ flagText }: Pick<ServerTarget, "flagText">, text: string): string {
  // A log is read from its directory, which an address does not tell.
  const logText = flagText.startsWith(" --admin") ? " --data-dir DIR" : flagText;
  return text.replaceAll(commands, (command) =>
    command.startsWith("portcullis audit") ? command + logText : command + flagText,
  );
}

/** A command in full. @param words its own, as they are before a shell has seen them */
export function commandOf(
  target: Pick<ServerTarget, "flagText">,
  verb: string,
  words: readonly string[],
): string {
  return [pasteable(target, `portcullis ${verb}`), shellText(words)].join(" ").trimEnd();
}

/** As a shell takes them. */
export function shellText(words: readonly string[]): string {
  return words.map(quoted).join(" ");
}

/** What the server has refused, with a next command that leads to the same server. */
export async function hinted<T>(target: ServerTarget, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (cause) {
    const isAnswer = cause instanceof CommandRefusedError || cause instanceof ServerTooOldError;
    if (!isAnswer || cause.hint === undefined) throw cause;
    const hint = pasteable(target, cause.hint).replaceAll("; ", "\n");
    if (cause instanceof ServerTooOldError) {
      throw new ServerTooOldError(cause.code, cause.message, { cause, hint });
    }
    throw new CommandRefusedError(cause.code, cause.message, { cause, hint });
  }
}

/** Those that talk to a server, and that texts name. */
const verbs = [
  "root (?:status|plan|prepare|activate|rollback|retire|abort|compromise|rotate)",
  "mtls (?:check|flip|revert|permissive|plan|status|explain|diff|waivers (?:list|end))",
  "status|bundle show|clock accept|join-token create|audit tail|apply|get",
];
const commands = new RegExp(String.raw`\bportcullis (?:${verbs.join("|")})\b`, "g");

/** For a POSIX shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
