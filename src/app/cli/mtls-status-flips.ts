/** The flips under way, as `mtls status` names them: what each waits for, and how to look on. */

import { isOver, type FlipValue } from "./mtls-flip-value.ts";
import { flipWaiting } from "./mtls-flip-words.ts";
import { commandOf, type ServerTarget } from "./server-target.ts";
import { printable } from "./text.ts";

/** @param namespace the only one; undefined for all */
export function flipsIn(
  flips: readonly FlipValue[],
  namespace: string | undefined,
): readonly FlipValue[] {
  return flips.filter((flip) => {
    const [its = ""] = flip.target.split(/[/:]/, 1);
    return !isOver(flip) && (namespace === undefined || its === namespace);
  });
}

/** "" for none. */
export function flipLines(
  flips: readonly FlipValue[],
  server: Pick<ServerTarget, "flagText">,
): string {
  const lines = flips.map((flip) => {
    const { id, target } = flip;
    const look = commandOf(server, "mtls flip", [target]);
    return `${printable(`flip ${id} of ${target}: ${flipWaiting(flip).text}: ${look}`)}\n`;
  });
  return lines.length === 0 ? "" : `\n${lines.join("")}`;
}
