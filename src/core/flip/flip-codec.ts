/** The stored form of a flip: JSON, written whole at each change, read strictly. */

import { isJsonObject, type JsonObject } from "../identity/json-object.ts";
import {
  parseBoolean,
  parseList,
  parseOneOf,
  parseText,
  parseTime,
  unexpected,
} from "../trust/stored-values.ts";
import { FlipError } from "./flip-error.ts";
import type { Flip, FlipEdit, OpenedStage } from "./flip.ts";
import { parseState, storedState } from "./flip-state-codec.ts";
import { formatStage, parseStages } from "./stages.ts";
import { parsePort, parsePorts, parseWorkloads, textLike } from "./stored-flip-values.ts";
import type { FlipTarget } from "./target.ts";

const version = 1;

export function encodeFlip(flip: Flip): string {
  const stages = flip.stages.map(formatStage).join(",");
  const stored = { ...flip, version, stages, state: storedState(flip.state) };
  return JSON.stringify(stored, (_, value: unknown) =>
    isJsonObject(value) ? sorted(value) : value,
  );
}

/** The same text for the same flip, however it was put together. */
function sorted(map: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** @throws FlipError `flip-malformed`: nothing in it is guessed or repaired, and one of a later version is not read */
export function parseFlip(document: string): Flip {
  try {
    const stored: unknown = JSON.parse(document);
    if (!isJsonObject(stored) || stored["version"] !== version) {
      throw unexpected(`a flip, version ${version}`);
    }
    const flip = flipOf(stored);
    // What is not written the same way again was not read whole.
    if (encodeFlip(flip) !== document) throw unexpected("nothing else");
    return flip;
  } catch (cause) {
    throw new FlipError("flip-malformed", "a stored flip is unreadable", {
      cause,
      hint: "run the portcullis that wrote it, or restore the directory from a backup",
    });
  }
}

function flipOf(stored: JsonObject): Flip {
  const stages = parseStages(parseText(stored["stages"], /^./));
  return {
    id: parseCount(stored["id"]),
    target: parseTarget(stored["target"]),
    operator: parseText(stored["operator"], textLike),
    startedMs: parseTime(stored["startedMs"]),
    lookBackMs: parseTime(stored["lookBackMs"]),
    stages,
    revertWindowMs: parseTime(stored["revertWindowMs"]),
    revertOnRefused:
      stored["revertOnRefused"] === undefined ? undefined : parseCount(stored["revertOnRefused"]),
    edit: parseEdit(stored["edit"]),
    ports: parsePorts(stored["ports"]),
    exceptPorts: parsePorts(stored["exceptPorts"]),
    opened: parseOpened(stored["opened"], stages.length),
    state: parseState(stored["state"]),
  };
}

function parseCount(value: unknown): number {
  const count = parseTime(value);
  if (count < 1) throw unexpected("a number from 1");
  return count;
}

function parseTarget(value: unknown): FlipTarget {
  if (!isJsonObject(value) || !isJsonObject(value["selector"])) throw unexpected("a target");
  const selector = Object.entries(value["selector"]).map(([key, each]) => {
    return [key, parseText(each, textLike)] as const;
  });
  return {
    text: parseText(value["text"], textLike),
    namespace: parseText(value["namespace"], textLike),
    name: parseText(value["name"], textLike),
    selector: Object.fromEntries(selector),
    ports: parseList(value["ports"], 1).map(parsePort),
  };
}

/** A manifest has at most so many characters. */
const manifestMax = 65_536;

function parseEdit(value: unknown): FlipEdit {
  if (!isJsonObject(value) || !isJsonObject(value["ref"])) throw unexpected("an edit");
  const { ref, beforeJson, afterJson, isOurs } = value;
  return {
    ref: {
      kind: parseOneOf(ref["kind"], ["PeerAuthentication"]),
      namespace: parseText(ref["namespace"], textLike),
      name: parseText(ref["name"], textLike),
    },
    beforeJson: beforeJson === undefined ? undefined : parseManifest(beforeJson),
    afterJson: parseManifest(afterJson),
    isOurs: parseBoolean(isOurs),
  };
}

function parseManifest(value: unknown): string {
  const json = parseText(value, /^\{/);
  if (json.length > manifestMax || !isJsonObject(JSON.parse(json))) throw unexpected("a manifest");
  return json;
}

/** Each is later than the one before, and in force before the next one opens. */
function parseOpened(value: unknown, stages: number): readonly OpenedStage[] {
  const opened = parseList(value, stages).map(parseStage);
  for (const [at, { index, openedMs, inForceMs = openedMs }] of opened.entries()) {
    const before = opened[at - 1];
    const isLater = before === undefined || before.index < index;
    const isProven = before === undefined || (before.inForceMs ?? Infinity) <= openedMs;
    if (!isLater || !isProven || index >= stages || inForceMs < openedMs) {
      throw unexpected("stages in their order");
    }
  }
  return opened;
}

function parseStage(value: unknown): OpenedStage {
  if (!isJsonObject(value)) throw unexpected("a stage");
  const { index, workloads, openedMs, inForceMs } = value;
  return {
    index: parseTime(index),
    workloads: parseWorkloads(workloads),
    openedMs: parseTime(openedMs),
    inForceMs: inForceMs === undefined ? undefined : parseTime(inForceMs),
  };
}
