/** A closed gate in words: who is missing, when it opens by itself, how to go on without one. */

import { signedElsewhereName, type Gate, type Laggard } from "../roll/laggard.ts";
import type { RotationRefusal } from "./rotation.ts";
import type { AuthorityRecord } from "./trust-state.ts";

type ClosedGate = Extract<Gate, { kind: "closed" }>;

export function verifiersLagging(
  command: "activate" | "confirm",
  gate: ClosedGate,
): RotationRefusal {
  return {
    code: "verifiers-lagging",
    message: `expected every verifier to hold the present bundle, got ${laggardsOf(gate, ["does not", "do not"])}`,
    hint:
      command === "activate"
        ? hintOf(gate, command)
        : `until they do, they may trust what has been retired: portcullis root status`,
    gate,
  };
}

export function holdersLeft(
  { id }: AuthorityRecord,
  command: "retire" | "abort",
  gate: ClosedGate,
): RotationRefusal {
  const isKnown = gate.laggards.every(({ reason }) => reason !== "root-unknown");
  return {
    code: "holders-left",
    message: `expected that nothing unexpired hangs on the root of authority ${id}, got ${laggardsOf(gate, isKnown ? ["does", "do"] : ["may", "may"])}`,
    hint: hintOf(gate, command),
    gate,
  };
}

const namedMax = 3;

/** @param does the verb of one, and of more: a number alone would read as the opposite */
function laggardsOf(
  { laggards, lagging }: ClosedGate,
  [one, more]: readonly [string, string],
): string {
  const named = laggards.slice(0, namedMax).map(({ name, reason }) => `${name} (${reason})`);
  const left = lagging - named.length;
  const others = left > 0 ? ` and ${left} more` : "";
  return `${lagging} that ${lagging === 1 ? one : more}: ${named.join(", ")}${others}`;
}

function hintOf({ laggards, opensAtMs }: ClosedGate, command: string): string {
  if (laggards.some(({ reason }) => reason === "clock")) {
    return (
      "look at the server's clock, and set it right if it is wrong; if it is right: portcullis clock accept --reason TEXT; " +
      `after a restart an agent that connects confirms it, too; then: portcullis root ${command}`
    );
  }
  if (laggards.some(isRebuilding)) {
    return `the server has not read its log to the end yet; again in a minute: portcullis root ${command}`;
  }
  if (laggards.some(({ name }) => name === signedElsewhereName)) {
    return (
      "who they are: portcullis root status --all; when the last certificate that was signed elsewhere has expired, by the calendar: " +
      `portcullis root ${command} --waive ${signedElsewhereName} --reason TEXT --for DURATION`
    );
  }
  // When, the gate itself says: whoever shows it has a form for times.
  const waiting = opensAtMs === undefined ? "see to them" : "wait, it opens by itself";
  return (
    `who they are: portcullis root status --all; ${waiting}, then: portcullis root ${command}; ` +
    `to go on without one: portcullis root ${command} --waive NAME --reason TEXT --for DURATION`
  );
}

function isRebuilding({ reason }: Laggard): boolean {
  return reason === "rebuilding";
}
