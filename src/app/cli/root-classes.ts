/** Readers that nobody can observe: a rotation waits for an operator's word of them, and for nothing else of theirs. */

import type { LaggardValue } from "./laggard-value.ts";
import { pasteable, type RootTarget } from "./root-target.ts";

/** The command that says that they have the roots of now; empty where none is waited for. */
export function classWaiver(target: RootTarget, laggards: readonly LaggardValue[]): string {
  const classes = laggards.filter(isClass).map(({ name }) => ` --waive ${name}`);
  if (classes.length === 0) return "";
  const command = pasteable(target, "portcullis root rotate");
  return `${command} --resume${classes.join("")} --reason TEXT --for DURATION`;
}

export function waiverLine(target: RootTarget, laggards: readonly LaggardValue[]): string {
  const waiver = classWaiver(target, laggards);
  return waiver === "" ? "" : `next: when they have been handed the roots of now: ${waiver}\n`;
}

export function isClass({ kind, reason }: LaggardValue): boolean {
  return kind === "class" && reason === "unobservable";
}
