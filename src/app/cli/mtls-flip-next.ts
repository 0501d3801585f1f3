/** Where to look on from a flip. */

import type { FlipValue } from "./mtls-flip-value.ts";
import { waiveMeanwhileNext } from "./mtls-verdict-waive.ts";
import type { NextValue } from "./next-commands.ts";
import { commandOf, type ServerTarget } from "./server-target.ts";

type Server = Pick<ServerTarget, "flagText">;

export function statusNext({ target }: Pick<FlipValue, "target">, server: Server): NextValue {
  const [namespace = ""] = target.split("/", 1);
  return { command: commandOf(server, "mtls status", ["-n", namespace]), why: "what is in force" };
}

/** Of one that goes on. */
export function flipNext(flip: FlipValue, server: Server): readonly NextValue[] {
  const { target, state } = flip;
  const look = { command: commandOf(server, "mtls flip", [target]), why: "look at it again" };
  const back = { command: commandOf(server, "mtls revert", [target]), why: "take it back" };
  return state === "reverting" ? [look] : [look, ...verdictNext(flip, server), back];
}

/** Where its verdict has somebody in the way: who that is, and how it goes on without them. */
function verdictNext({ target, waits }: FlipValue, server: Server): readonly NextValue[] {
  const names = waits.flatMap(({ kind, name }) => {
    return kind === "verdict" && name !== target ? [{ name }] : [];
  });
  if (names.length === 0) return [];
  const check = { command: commandOf(server, "mtls check", [target]), why: "who is in the way" };
  return [check, ...waiveMeanwhileNext(target, names, server)];
}
