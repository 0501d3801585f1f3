/** A closed gate in words: who is missing, when it opens by itself, how to go on without one. */

import type { Gate, Laggard } from "../roll/laggard.ts";
import type { RotationRefusal } from "./rotation.ts";
import type { AuthorityRecord } from "./trust-state.ts";

type ClosedGate = Extract<Gate, { kind: "closed" }>;

export function verifiersLagging(
  command: "activate" | "confirm",
  gate: ClosedGate,
): RotationRefusal {
  return {
    code: "verifiers-lagging",
    message: `expected every verifier to hold the present bundle, got ${laggardsOf(gate)}`,
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
  return {
    code: "holders-left",
    message: `expected nothing unexpired that hangs on the root of authority ${id}, got ${laggardsOf(gate)}`,
    hint: hintOf(gate, command),
    gate,
  };
}

const namedMax = 3;

function laggardsOf({ laggards, lagging }: ClosedGate): string {
  const named = laggards.slice(0, namedMax).map(({ name, reason }) => `${name} (${reason})`);
  const left = lagging - named.length;
  return `${lagging}: ${named.join(", ")}${left > 0 ? ` and ${left} more` : ""}`;
}

function hintOf({ laggards, opensAtMs }: ClosedGate, command: string): string {
  if (laggards.some(({ reason }) => reason === "clock")) {
    return (
      "look at the server's clock: if it is wrong, set it right; if it is right, portcullis clock accept --reason TEXT; " +
      `after a restart an agent that connects confirms it, too; then portcullis root ${command}`
    );
  }
  if (laggards.some(isRebuilding)) {
    return `the server has not read its log to the end yet: portcullis root ${command} again in a minute`;
  }
  // When, the gate itself says: whoever shows it has a form for times.
  const waiting = opensAtMs === undefined ? "see to them" : "wait, it opens by itself";
  return (
    `portcullis root status --all names them; ${waiting}, then portcullis root ${command}; ` +
    `to go on without one: portcullis root ${command} --waive NAME --reason TEXT --for DURATION`
  );
}

function isRebuilding({ reason }: Laggard): boolean {
  return reason === "rebuilding";
}
