/** Which server the verbs of a rotation talk to, and how its commands are printed: with the flags that led there. */

import type { Environment } from "../../edge/config/paths.ts";
import { CommandRefusedError } from "../../edge/rpc/command-client.ts";
import { resolveAdminAddress } from "./admin-address.ts";

export interface RootTarget {
  readonly address: string;
  /** The flags that were given, as a shell takes them; empty where the environment or the default led there. */
  readonly flagText: string;
}

export interface ConnectionValues {
  readonly admin: string | undefined;
  readonly "data-dir": string | undefined;
}

/** @throws EndpointsError, PrivateFileError */
export async function resolveRootTarget(
  flags: ConnectionValues,
  env: Environment,
): Promise<RootTarget> {
  return { address: await resolveAdminAddress(flags, env), flagText: flagTextOf(flags) };
}

/** Of a server that may not be there. */
export function textTarget(flags: ConnectionValues): Pick<RootTarget, "flagText"> {
  return { flagText: flagTextOf(flags) };
}

function flagTextOf({ admin, "data-dir": dataDir }: ConnectionValues): string {
  if (admin) return ` --admin ${quoted(admin)}`;
  return dataDir === undefined ? "" : ` --data-dir ${quoted(dataDir)}`;
}

/** A command that is pasted without the flags would go to another server: that of `portcullis dev`. */
export function pasteable({ flagText }: Pick<RootTarget, "flagText">, text: string): string {
  // A log is read from its directory, which an address does not tell.
  const logText = flagText.startsWith(" --admin") ? " --data-dir DIR" : flagText;
  return text.replaceAll(commands, (command) =>
    command.startsWith("portcullis audit") ? command + logText : command + flagText,
  );
}

/** A command in full. @param words its own, as they are before a shell has seen them */
export function commandOf(
  target: Pick<RootTarget, "flagText">,
  verb: string,
  words: readonly string[],
): string {
  return [pasteable(target, `portcullis ${verb}`), ...words.map(quoted)].join(" ");
}

/** What the server has refused, with a next command that leads to the same server. */
export async function hinted<T>(target: RootTarget, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (cause) {
    if (!(cause instanceof CommandRefusedError) || cause.hint === undefined) throw cause;
    const hint = pasteable(target, cause.hint).replaceAll("; ", "\n");
    throw new CommandRefusedError(cause.code, cause.message, { cause, hint });
  }
}

/** Those that talk to a server, and that a rotation's texts name. */
const commands =
  /\bportcullis (?:root (?:status|plan|prepare|activate|rollback|retire|abort|compromise|rotate)|status|bundle show|clock accept|join-token create|audit tail)\b/g;

/** For a POSIX shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
