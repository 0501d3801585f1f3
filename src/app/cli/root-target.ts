/** Which server the verbs of a rotation talk to, and how its commands are printed: with the flags that led there. */

import type { Environment } from "../../edge/config/paths.ts";
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

function flagTextOf({ admin, "data-dir": dataDir }: ConnectionValues): string {
  if (admin) return ` --admin ${quoted(admin)}`;
  return dataDir === undefined ? "" : ` --data-dir ${quoted(dataDir)}`;
}

/** A command that is pasted without the flags would go to another server: that of `portcullis dev`. */
export function pasteable({ flagText }: Pick<RootTarget, "flagText">, text: string): string {
  return text.replaceAll(commands, (command) => command + flagText);
}

/** Those that talk to a server, and that a rotation's texts name. */
const commands =
  /\bportcullis (?:root (?:status|plan|prepare|activate|rollback|retire|abort|compromise|rotate)|status|bundle show|clock accept|join-token create)\b/g;

/** For a POSIX shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
