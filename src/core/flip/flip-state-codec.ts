/** The stored form of where a flip is. What reads throws TypeError, which `flip-codec.ts` catches. */

import { isJsonObject } from "../identity/json-object.ts";
import { parseText, parseTime, unexpected } from "../trust/stored-values.ts";
import type { FlipState, RevertCause } from "./flip.ts";
import { parseNames, parseWorkloads, textLike } from "./stored-flip-values.ts";

/** As it was before anybody could be unseen, where nobody is. */
export function storedState(state: FlipState): object {
  if (state.kind !== "done" || state.unseen.length > 0) return state;
  const { unseen: _, ...rest } = state;
  return rest;
}

export function parseState(value: unknown): FlipState {
  if (!isJsonObject(value)) throw unexpected("a state");
  const { kind, cause, sinceMs, endedMs, why, unseen, isWritten } = value;
  switch (kind) {
    case "editing":
      return isWritten === undefined ? { kind } : { kind, isWritten: true };
    case "stage":
      return { kind };
    case "watching":
      return { kind, sinceMs: parseTime(sinceMs) };
    case "reverting":
      return { kind, cause: parseCause(cause), sinceMs: parseTime(sinceMs) };
    case "done":
      return {
        kind,
        endedMs: parseTime(endedMs),
        unseen: unseen === undefined ? [] : parseWorkloads(unseen),
      };
    case "reverted":
      return { kind, cause: parseCause(cause), endedMs: parseTime(endedMs) };
    case "superseded":
      return { kind, endedMs: parseTime(endedMs), why: parseText(why, textLike) };
    default:
      throw unexpected("a known state");
  }
}

function parseCause(value: unknown): RevertCause {
  if (!isJsonObject(value)) throw unexpected("a cause");
  const { kind, operator, reason, callers, objects } = value;
  switch (kind) {
    case "operator":
      return {
        kind,
        operator: parseText(operator, textLike),
        reason: parseText(reason, textLike),
      };
    case "meshed-failure":
    case "refused":
      return { kind, callers: parseNames(callers) };
    case "superseded":
      return { kind, objects: parseNames(objects) };
    default:
      throw unexpected("a known cause");
  }
}
