/** Readers that nobody can observe: a rotation waits for an operator's word of them, and for nothing else of theirs. */

import type { LaggardValue } from "./laggard-value.ts";
import { nextOf, type NextValue } from "./next-commands.ts";
import type { ServerTarget } from "./server-target.ts";

/** The command that says that they have the roots of now; none where none is waited for. */
export function waiverNext(
  target: ServerTarget,
  laggards: readonly LaggardValue[],
): readonly NextValue[] {
  const classes = laggards.filter(isClass).map(({ name }) => ` --waive ${name}`);
  if (classes.length === 0) return [];
  const command = `portcullis root rotate --resume${classes.join("")} --reason TEXT --for DURATION`;
  return nextOf(target, `when they have been handed the roots of now: ${command}`);
}

export function isClass({ kind, reason }: LaggardValue): boolean {
  return kind === "class" && reason === "unobservable";
}
