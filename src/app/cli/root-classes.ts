/** Readers and certificates that nobody can observe: a rotation waits for an operator's word of them, and for nothing else of theirs. */

import { signedElsewhereName } from "../../core/roll/laggard.ts";
import type { LaggardValue } from "./laggard-value.ts";
import { nextOf, type NextValue } from "./next-commands.ts";
import type { ServerTarget } from "./server-target.ts";

/** The command that says that they have the roots of now, or have ended; none where none is waited for. */
export function waiverNext(
  target: ServerTarget,
  laggards: readonly LaggardValue[],
): readonly NextValue[] {
  const names = laggards.filter(isClass).map(({ name }) => name);
  if (names.length === 0) return [];
  const classes = names.map((name) => ` --waive ${name}`).join("");
  const command = `portcullis root rotate --resume${classes} --reason TEXT --for DURATION`;
  // Of a holder, which waits alone: readers are of the other gate.
  const when = names.includes(signedElsewhereName) ? signedElsewhereOver : readersHaveThem;
  return nextOf(target, `${when}: ${command}`);
}

const readersHaveThem = "when they have been handed the roots of now";
const signedElsewhereOver =
  "when the last certificate that was signed elsewhere under the old root has expired";

/** After an adoption: the way to the end of the next rotation. */
export function awayNext(target: Pick<ServerTarget, "flagText">): readonly NextValue[] {
  const waiver = `--waive ${signedElsewhereName} --reason TEXT --for DURATION`;
  return nextOf(
    { address: "", ...target },
    `portcullis root rotate; it waits before the old root goes, and ${signedElsewhereOver}: portcullis root rotate --resume ${waiver}`,
  );
}

export function isClass({ kind, reason }: LaggardValue): boolean {
  return kind === "class" && reason === "unobservable";
}
