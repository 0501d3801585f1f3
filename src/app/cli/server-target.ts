/** Which server a verb talks to, and how the next commands are printed: with the flags that led there. */

import { ServerTooOldError } from "../../edge/rpc/admin-client.ts";
import { AdminAccessError } from "../../edge/rpc/admin-error.ts";
import { CommandRefusedError } from "../../edge/rpc/command-client.ts";
import type { AdminTarget } from "../../edge/rpc/admin-target.ts";
import { resolveAdminAddress, type ConnectionValues, type Reach } from "./admin-address.ts";
import { givenKubeFlags } from "./kube-flags.ts";

export interface ServerTarget {
  readonly address: AdminTarget;
  /** The flags that were given, as a shell takes them; empty where the environment or the default led there. */
  readonly flagText: string;
  /** Those of them that kubectl takes, too: without them it would go to the current context's cluster. */
  readonly kubectlText?: string;
}

type FlagTexts = Pick<ServerTarget, "flagText" | "kubectlText">;

/** @throws EndpointsError, PrivateFileError, UsageError */
export async function resolveServerTarget(
  flags: ConnectionValues,
  reach: Reach,
): Promise<ServerTarget> {
  return { address: await resolveAdminAddress(flags, reach), ...textTarget(flags) };
}

/** Of a server that may not be there. */
export function textTarget(flags: ConnectionValues): FlagTexts {
  const given = givenKubeFlags(flags);
  const shared = given.filter(([name]) => name === "kubeconfig" || name === "context");
  return { flagText: flagTextOf(flags), kubectlText: kubeText(shared) };
}

function flagTextOf(flags: ConnectionValues): string {
  const { admin, "data-dir": dataDir } = flags;
  if (admin) return ` --admin ${quoted(admin)}`;
  if (dataDir !== undefined) return ` --data-dir ${quoted(dataDir)}`;
  return kubeText(givenKubeFlags(flags));
}

function kubeText(given: ReturnType<typeof givenKubeFlags>): string {
  return given.map(([name, value]) => ` --${name} ${quoted(value)}`).join("");
}

/** A command that is pasted without the flags would go to another server: that of `portcullis dev`, or of the current context. */
export function pasteable({ flagText, kubectlText = "" }: FlagTexts, text: string): string {
  // A log is read from its directory, which no address tells.
  const isDirectory = flagText === "" || flagText.startsWith(" --data-dir");
  const logText = isDirectory ? flagText : " --data-dir DIR";
  return text.replaceAll(commands, (command) => {
    if (command === "kubectl") return command + kubectlText;
    return command + (command.startsWith("portcullis audit") ? logText : flagText);
  });
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
    const isAnswer =
      cause instanceof CommandRefusedError ||
      cause instanceof ServerTooOldError ||
      cause instanceof AdminAccessError;
    if (!isAnswer || cause.hint === undefined) throw cause;
    const hint = pasteable(target, cause.hint).replaceAll("; ", "\n");
    if (cause instanceof ServerTooOldError) {
      throw new ServerTooOldError(cause.code, cause.message, { cause, hint });
    }
    if (cause instanceof AdminAccessError) {
      throw new AdminAccessError(cause.code, cause.message, { cause, hint });
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
/** Those of kubectl that texts name: it stands in sentences, too. */
const kubectlVerbs =
  "api-resources|apply|auth|cluster-info|create|delete|describe|exec|get|logs|version";
const commands = new RegExp(
  // What stands behind -- is run elsewhere.
  String.raw`(?<!-- )\bportcullis (?:${verbs.join("|")})\b|\bkubectl(?= (?:-|(?:${kubectlVerbs})\b))`,
  "g",
);

/** For a POSIX shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
