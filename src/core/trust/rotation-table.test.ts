/** All pairs of a trust state and a command, with their outcomes. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  activate,
  authorityOf,
  closedGate,
  compromiseOf,
  evidenceOf,
  outcomeText,
  prepareOf,
  retire,
  rollback,
  shapes,
} from "../../../test/support/trust-states.ts";
import { decideRotation } from "./rotation-machine.ts";
import type { RotationCommand } from "./rotation.ts";
import { encodeTrustState } from "./trust-state-codec.ts";

const commands = {
  "prepare C": prepareOf("C"),
  "prepare A": prepareOf("A"),
  activate,
  rollback,
  retire,
  abort: { kind: "abort" },
  confirm: { kind: "confirm" },
  "compromise A": compromiseOf("A"),
  "compromise B": compromiseOf("B"),
  "compromise A for C": { ...compromiseOf("A"), replacement: authorityOf("C") },
  "compromise A for A": { ...compromiseOf("A"), replacement: authorityOf("A") },
  "compromise C": compromiseOf("C"),
} as const satisfies Record<string, RotationCommand>;

type Row = Readonly<Record<keyof typeof commands, string>>;

/** With both gates open. After "|": with both closed, where that is another answer. */
const table: Readonly<Record<keyof typeof shapes, Row>> = {
  "A alone": {
    "prepare C": "A active; C prepared; AC -> publish-bundle",
    "prepare A": "authority-known",
    activate: "nothing-prepared",
    rollback: "nothing-to-roll-back",
    retire: "nothing-to-retire",
    abort: "nothing-prepared",
    confirm: "nothing-to-confirm",
    "compromise A": "replacement-needed",
    "compromise B": "authority-unknown",
    "compromise A for C":
      "C active; A compromised; C -> publish-bundle, sign-with C, reissue, destroy-key A",
    "compromise A for A": "authority-known",
    "compromise C": "authority-unknown",
  },
  "A, B prepared": {
    "prepare C": "rotation-in-progress",
    "prepare A": "rotation-in-progress",
    activate: "B active; A retiring; AB -> sign-with B, reissue | verifiers-lagging",
    rollback: "nothing-to-roll-back",
    retire: "nothing-to-retire",
    abort: "A active; B retired; A -> publish-bundle, destroy-key B | holders-left",
    confirm: "nothing-to-confirm",
    "compromise A":
      "B active; A compromised; B -> publish-bundle, sign-with B, reissue, destroy-key A",
    "compromise B": "A active; B compromised; A -> publish-bundle, reissue, destroy-key B",
    "compromise A for C":
      "B active; A compromised; B -> publish-bundle, sign-with B, reissue, destroy-key A",
    "compromise A for A":
      "B active; A compromised; B -> publish-bundle, sign-with B, reissue, destroy-key A",
    "compromise C": "authority-unknown",
  },
  "B, A retiring": {
    "prepare C": "rotation-in-progress",
    "prepare A": "rotation-in-progress",
    activate: "nothing-prepared",
    rollback: "A active; B prepared; AB -> sign-with A, reissue",
    retire: "B active; A retired; B -> publish-bundle, destroy-key A | holders-left",
    abort: "nothing-prepared",
    confirm: "nothing-to-confirm",
    "compromise A": "B active; A compromised; B -> publish-bundle, reissue, destroy-key A",
    "compromise B":
      "A active; B compromised; A -> publish-bundle, sign-with A, reissue, destroy-key B",
    "compromise A for C": "B active; A compromised; B -> publish-bundle, reissue, destroy-key A",
    "compromise A for A": "B active; A compromised; B -> publish-bundle, reissue, destroy-key A",
    "compromise C": "authority-unknown",
  },
  "A, B rolled back": {
    "prepare C": "rotation-in-progress",
    "prepare A": "rotation-in-progress",
    activate: "B active; A retiring; AB -> sign-with B, reissue | verifiers-lagging",
    rollback: "nothing-to-roll-back",
    retire: "nothing-to-retire",
    abort: "A active; B retired; A -> publish-bundle, destroy-key B | holders-left",
    confirm: "nothing-to-confirm",
    "compromise A":
      "B active; A compromised; B -> publish-bundle, sign-with B, reissue, destroy-key A",
    "compromise B": "A active; B compromised; A -> publish-bundle, reissue, destroy-key B",
    "compromise A for C":
      "B active; A compromised; B -> publish-bundle, sign-with B, reissue, destroy-key A",
    "compromise A for A":
      "B active; A compromised; B -> publish-bundle, sign-with B, reissue, destroy-key A",
    "compromise C": "authority-unknown",
  },
  "B, A retired": {
    "prepare C": "B active; C prepared; A retired; BC -> publish-bundle",
    "prepare A": "B active; A prepared; AB -> publish-bundle",
    activate: "nothing-prepared",
    rollback: "nothing-to-roll-back",
    retire: "nothing-to-retire",
    abort: "nothing-prepared",
    confirm: "B active; A retired, confirmed; B ->  | verifiers-lagging",
    "compromise A": "authority-unknown",
    "compromise B": "replacement-needed",
    "compromise A for C": "authority-unknown",
    "compromise A for A": "authority-unknown",
    "compromise C": "authority-unknown",
  },
  "B, A confirmed": {
    "prepare C": "B active; C prepared; A retired, confirmed; BC -> publish-bundle",
    "prepare A": "B active; A prepared; AB -> publish-bundle",
    activate: "nothing-prepared",
    rollback: "nothing-to-roll-back",
    retire: "nothing-to-retire",
    abort: "nothing-prepared",
    confirm: "nothing-to-confirm",
    "compromise A": "authority-unknown",
    "compromise B": "replacement-needed",
    "compromise A for C": "authority-unknown",
    "compromise A for A": "authority-unknown",
    "compromise C": "authority-unknown",
  },
  "B, A compromised": {
    "prepare C": "B active; C prepared; A compromised; BC -> publish-bundle",
    "prepare A": "authority-known",
    activate: "nothing-prepared",
    rollback: "nothing-to-roll-back",
    retire: "nothing-to-retire",
    abort: "nothing-prepared",
    confirm: "B active; A compromised, confirmed; B ->  | verifiers-lagging",
    "compromise A": "authority-unknown",
    "compromise B": "replacement-needed",
    "compromise A for C": "authority-unknown",
    "compromise A for A": "authority-unknown",
    "compromise C": "authority-unknown",
  },
};

const bothClosed = evidenceOf({ verifiers: () => closedGate(), holders: () => closedGate() });

describe("a rotation, by state and command, with both gates open and both closed", () => {
  for (const [shape, state] of Object.entries(shapes)) {
    const row: Readonly<Record<string, string>> = table[shape as keyof typeof shapes];
    for (const [name, command] of Object.entries(commands)) {
      const [open = "", closed = open] = (row[name] ?? "").split(" | ");
      it(`${shape}; ${name}: ${row[name] ?? ""}`, () => {
        const document = encodeTrustState(state);
        assert.equal(outcomeText(decideRotation(state, command, evidenceOf(), 9_000)), open);
        assert.equal(outcomeText(decideRotation(state, command, bothClosed, 9_000)), closed);
        assert.equal(encodeTrustState(state), document, "the state before is what it was");
      });
    }
  }
});
