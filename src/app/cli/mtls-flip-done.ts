/** A flip that is done: who refuses plaintext now, who does not, and of whom nobody has told. */

import { formatSpan } from "./format.ts";
import { statusNext } from "./mtls-flip-next.ts";
import type { FlipValue, FlipWorkloadValue } from "./mtls-flip-value.ts";
import { absenceWords, stateWords } from "./mtls-flip-workloads.ts";
import { notStrict, othersNext, strictWords } from "./mtls-surroundings.ts";
import type { NextValue } from "./next-commands.ts";
import { commandOf, type ServerTarget } from "./server-target.ts";
import { firstOf } from "./text.ts";

export function doneText(flip: FlipValue): string {
  const { target, workloads, stagesOpened, startedAt, endedAt } = flip;
  const time = formatSpan(Date.parse(endedAt) - Date.parse(startedAt));
  const there = workloads.filter(({ state }) => state !== "no-proxy");
  const open = openIn(flip);
  const unknown = unknownIn(flip);
  const refusing = there.length - open.length - unknown.length;
  const all = workloads.length === 1 ? "1 workload" : `${workloads.length} workloads`;
  const what =
    refusing === there.length
      ? `${strictWords(flip)}: ${all}`
      : `${refusing} of ${there.length} workloads of ${target} refuse plaintext`;
  const count = stagesOpened === 1 ? "1 stage" : `${stagesOpened} stages`;
  const parts = [
    `done: ${what} in ${count}, ${time}`,
    ...listOf("still taken by", open),
    ...listOf("not known of", unknown),
    ...unseenText(flip),
    ...(refusing === there.length ? [] : otherPart(flip)),
  ];
  return parts.join("; ");
}

/** Nobody has passed it over, and it takes plaintext. */
export function isLeftOpen(flip: FlipValue): boolean {
  return openIn(flip).some(({ waived }) => !waived);
}

export function doneNext(
  flip: FlipValue,
  server: Pick<ServerTarget, "flagText">,
): readonly NextValue[] {
  const { target, unseen } = flip;
  const check = commandOf(server, "mtls check", [target]);
  const isOpen = openIn(flip).length + unknownIn(flip).length > 0;
  return [
    ...othersNext(notStrict(flip), server),
    ...(isOpen ? [{ ...statusNext(flip, server), why: "who refuses plaintext, and who not" }] : []),
    ...(unseen.length > 0 ? [{ command: check, why: "who has called them, when they tell" }] : []),
  ];
}

/** Another object has it take plaintext. */
function otherPart(flip: FlipValue): readonly string[] {
  const left = notStrict(flip);
  return left.length === 0 ? [] : [`no part of it: ${firstOf(left.map(({ target }) => target))}`];
}

/** By what they have acknowledged last. */
function openIn({ workloads }: FlipValue): readonly FlipWorkloadValue[] {
  return workloads.filter((each) => !isRefusing(each) && each.plaintext === "taken");
}

function unknownIn({ workloads }: FlipValue): readonly FlipWorkloadValue[] {
  return workloads.filter((each) => !isRefusing(each) && each.plaintext !== "taken");
}

function isRefusing({ state }: FlipWorkloadValue): boolean {
  return state === "in-force" || state === "draining" || state === "no-proxy";
}

function listOf(what: string, all: readonly FlipWorkloadValue[]): readonly string[] {
  if (all.length === 0) return [];
  return [`${what} ${firstOf(all.map((each) => `${each.name} (${whyOf(each)})`))}`];
}

function whyOf(workload: FlipWorkloadValue): string {
  const { state, waived } = workload;
  const why = state === "silent" ? absenceWords(workload) : stateWords(workload);
  return waived ? `${why}; its silence is waived` : why;
}

/** Of those who refuse plaintext now: of the others more was said. */
function unseenText(flip: FlipValue): readonly string[] {
  const open = new Set(openIn(flip).map(({ name }) => name));
  const unseen = flip.unseen.filter((name) => !open.has(name));
  if (unseen.length === 0) return [];
  const who = unseen.length === 1 ? "1 workload has" : `${unseen.length} workloads have`;
  return [`${who} not told of the whole window, or not stayed strict: ${firstOf(unseen)}`];
}
