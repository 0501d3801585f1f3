/** Which server a verb talks to, and how the next commands are printed: with the flags that led there. */

import { ServerTooOldError } from "../../edge/rpc/admin-client.ts";
import { CommandRefusedError } from "../../edge/rpc/command-client.ts";
import type { AdminTarget } from "../../edge/rpc/admin-target.ts";
import { resolveAdminAddress, type ConnectionValues, type Reach } from "./admin-address.ts";
import { givenKubeFlags } from "./kube-flags.ts";

export interface ServerTarget {
  readonly address: AdminTarget;
  /** The flags that were given, as a shell takes them; empty where the environment or the default led there. */
  readonly flagText: string;
}

/** @throws EndpointsError, PrivateFileError, UsageError */
export async function resolveServerTarget(
  flags: ConnectionValues,
  reach: Reach,
): Promise<ServerTarget> {
  return { address: await resolveAdminAddress(flags, reach), flagText: flagTextOf(flags) };
}

/** Of a server that may not be there. */
export function textTarget(flags: ConnectionValues): Pick<ServerTarget, "flagText"> {
  return { flagText: flagTextOf(flags) };
}

function flagTextOf(flags: ConnectionValues): string {
  const { admin, "data-dir": dataDir } = flags;
  if (admin) return ` --admin ${quoted(admin)}`;
  if (dataDir !== undefined) return ` --data-dir ${quoted(dataDir)}`;
  return givenKubeFlags(flags)
    .map(([name, value]) => ` --${name} ${quoted(value)}`)
    .join("");
}

/** A command that is pasted without the flags would go to another server: that of `portcullis dev`. */
export function pasteable({ flagText }: Pick<ServerTarget, "flagText">, text: string): string {
  // A log is read from its directory, which no address tells.
  const isDirectory = flagText === "" || flagText.startsWith(" --data-dir");
  const logText = isDirectory ? flagText : " --data-dir DIR";
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
  "root (?:status|plan|prepare|adopt|activate|rollback|retire|abort|compromise|rotate)",
  "mtls (?:check|flip|revert|permissive|plan|status|explain|diff|waivers (?:list|add|end))",
  "status|doctor|bundle show|clock accept|join-token create|audit tail|apply|get",
];
const commands = new RegExp(String.raw`\bportcullis (?:${verbs.join("|")})\b`, "g");

/** For a POSIX shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
