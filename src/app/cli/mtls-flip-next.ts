/** Where to look on from a flip. */

import type { FlipValue } from "./mtls-flip-value.ts";
import type { NextValue } from "./next-commands.ts";
import { commandOf, type ServerTarget } from "./server-target.ts";

type Server = Pick<ServerTarget, "flagText">;

export function statusNext({ target }: Pick<FlipValue, "target">, server: Server): NextValue {
  const [namespace = ""] = target.split("/", 1);
  return { command: commandOf(server, "mtls status", ["-n", namespace]), why: "what is in force" };
}

/** Of one that goes on. */
export function flipNext({ target, state }: FlipValue, server: Server): readonly NextValue[] {
  const look = { command: commandOf(server, "mtls flip", [target]), why: "look at it again" };
  const back = { command: commandOf(server, "mtls revert", [target]), why: "take it back" };
  return state === "reverting" ? [look] : [look, back];
}
