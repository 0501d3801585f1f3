/** Trust states and gates by short names, for whoever tests rotations without certificates. */

import type { Gate, Laggard } from "../../src/core/roll/laggard.ts";
import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { decideRotation } from "../../src/core/trust/rotation-machine.ts";
import type {
  RotationCommand,
  RotationDecision,
  RotationEffect,
  RotationEvidence,
} from "../../src/core/trust/rotation.ts";
import {
  bundleOf,
  initialTrustState,
  type NewAuthority,
  type TrustState,
} from "../../src/core/trust/trust-state.ts";

/** A root that is one octet: its letter. */
export const rootOf = (letter: string): Uint8Array => Uint8Array.from(Buffer.from(letter));

/** Of a root, as of an authority by that letter: a small letter's is its capital's, whose root was renewed. */
export const keyIdOf = (certificate: Uint8Array): string =>
  idOf(Buffer.from(certificate).toString().toUpperCase());

/** @param letter names it, its key and its root */
export function authorityOf(letter: string, changes: Partial<NewAuthority> = {}): NewAuthority {
  const id = Buffer.from(letter).toString("hex");
  const root = rootOf(letter);
  return { id, chain: [], root, key: "store", auto: false, ...changes };
}

export const idOf = (letter: string): string => authorityOf(letter).id;
export const letterOf = (id: string): string => Buffer.from(id, "hex").toString();

export const openGate: Gate = {
  kind: "open",
  evidence: { total: 1, confirmed: 1, weak: 0, waived: 0 },
};

export function closedGate(changes: Partial<Extract<Gate, { kind: "closed" }>> = {}): Gate {
  return {
    kind: "closed",
    laggards: [laggard("agent/a-1@spiffe://td/a")],
    lagging: 1,
    evidence: { total: 1, confirmed: 0, weak: 0, waived: 0 },
    ...changes,
  };
}

export function laggard(name: string, changes: Partial<Laggard> = {}): Laggard {
  return { kind: "agent", name, spiffeId: "", reason: "not-acknowledged", detail: "", ...changes };
}

export function evidenceOf(changes: Partial<RotationEvidence> = {}): RotationEvidence {
  return {
    verifiers: () => openGate,
    holders: () => openGate,
    filedRoots: [],
    endsAtMs: () => Infinity,
    keyIdOf,
    lifeMs: { usual: 0, longest: 0 },
    ...changes,
  };
}

export const firstTrust: TrustState = initialTrustState({
  trustDomain: TrustDomain.parse("cluster.local"),
  authority: authorityOf("A"),
  nowMs: 1_000,
});

/** Every command with open gates, each a second after the one before. @throws where one is refused */
export function afterCommands(
  commands: readonly RotationCommand[],
  from: TrustState = firstTrust,
): TrustState {
  let nowMs = 1_000;
  return commands.reduce((state, command) => {
    nowMs += 1_000;
    const decision = decideRotation(state, command, evidenceOf(), nowMs);
    if (decision.kind === "done") return decision.state;
    throw new Error(`${command.kind}: ${decision.refusal.code}`);
  }, from);
}

export const prepareOf = (letter: string): Extract<RotationCommand, { kind: "prepare" }> => ({
  kind: "prepare",
  authority: authorityOf(letter),
});

export const activate = { kind: "activate" } as const;
export const rollback = { kind: "rollback" } as const;
export const retire = { kind: "retire" } as const;
export const compromiseOf = (letter: string): Extract<RotationCommand, { kind: "compromise" }> => ({
  kind: "compromise",
  authorityId: idOf(letter),
});

const retired = afterCommands([prepareOf("B"), activate, retire]);

interface Shapes {
  readonly "A alone": TrustState;
  readonly "A, B prepared": TrustState;
  readonly "B, A retiring": TrustState;
  readonly "A, B rolled back": TrustState;
  readonly "B, A retired": TrustState;
  readonly "B, A confirmed": TrustState;
  readonly "B, A compromised": TrustState;
}

/** By who signs, and what has become of the other one. */
export const shapes: Shapes = {
  "A alone": firstTrust,
  "A, B prepared": afterCommands([prepareOf("B")]),
  "B, A retiring": afterCommands([prepareOf("B"), activate]),
  "A, B rolled back": afterCommands([prepareOf("B"), activate, rollback]),
  "B, A retired": retired,
  "B, A confirmed": afterCommands([{ kind: "confirm" }], retired),
  "B, A compromised": afterCommands([prepareOf("B"), compromiseOf("A")]),
};

function effectText(effect: RotationEffect): string {
  return "authorityId" in effect ? `${effect.kind} ${letterOf(effect.authorityId)}` : effect.kind;
}

function stateText(state: TrustState): string {
  const roots = bundleOf(state).roots.map((root) => Buffer.from(root).toString());
  return [
    ...state.authorities.map((each) => `${letterOf(each.id)} ${each.state}`),
    ...state.retired.map(({ id, compromised, confirmed }) => {
      const how = compromised ? "compromised" : "retired";
      return `${letterOf(id)} ${how}${confirmed ? ", confirmed" : ""}`;
    }),
    roots.join(""),
  ].join("; ");
}

/** A refusal's code; otherwise "authorities; retired; roots -> effects". */
export function outcomeText(decision: RotationDecision): string {
  if (decision.kind === "refused") return decision.refusal.code;
  return `${stateText(decision.state)} -> ${decision.effects.map(effectText).join(", ")}`;
}
