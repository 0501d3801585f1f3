/** An entry of the log as one line, for people or for programs. What others wrote is escaped in both. */

import type { Entry, LoggedEvidence } from "../../core/log/entry.ts";
import { entryValue, logTime } from "./log-entry-value.ts";
import { serialHex } from "./log-lookup.ts";
import type { JsonValue } from "./output.ts";
import { printable } from "./text.ts";

/** `INDEX TIME KIND ...` */
export function entryLine(index: number, entry: Entry): string {
  return `${index} ${logTime(entry.timeMs)} ${entry.kind.padEnd(8)} ${printable(whatOf(entry))}\n`;
}

export function entryJsonLine(index: number, entry: Entry): string {
  return `${jsonLine(entryValue(index, entry))}\n`;
}

/** JSON escapes control characters below 0x20 only; a terminal obeys others, too. */
export function jsonLine(value: JsonValue): string {
  return JSON.stringify(value).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
  });
}

function whatOf(entry: Entry): string {
  switch (entry.kind) {
    case "intent": {
      const { artifact, identity, serial, evidence } = entry;
      return `${artifact} ${identity} serial ${serialHex(serial)} by ${proofOf(evidence)}`;
    }
    case "result": {
      const { intentIndex, outcome, reason, serial } = entry;
      const why = reason === "" ? "" : ` (${reason})`;
      return `${outcome}${why} serial ${serialHex(serial)} of ${intentIndex}`;
    }
    case "refusals": {
      const { count, reason, caller, address } = entry;
      return `${count} x ${reason} ${caller || "nobody"}${from(address)}`;
    }
    case "event": {
      const { type, operator, subject, reason, detail } = entry;
      const parts = [subject, reason, detail].filter((part) => part !== "");
      return `${type} by ${operator || "the server"}${parts.map((part) => `; ${part}`).join("")}`;
    }
    default:
      return entry satisfies never;
  }
}

function proofOf({ method, namespace, pod, tokenId, address }: LoggedEvidence): string {
  const owner = pod === "" ? tokenId : `${namespace}/${pod}`;
  return `${method}${owner === "" ? "" : ` ${owner}`}${from(address)}`;
}

function from(address: string): string {
  return address === "" ? "" : ` from ${address}`;
}
