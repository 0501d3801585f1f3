import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  activate,
  closedGate,
  evidenceOf,
  retire,
  rollback,
  rootOf,
  shapes,
} from "../../../test/support/trust-states.ts";
import { hindranceOf } from "./rotation-hindrance.ts";
import type { RotationCommand, RotationEvidence, RotationRefusal } from "./rotation.ts";

const closed = { verifiers: () => closedGate(), holders: () => closedGate() };
const missing: RotationRefusal = { code: "key-missing", message: "of B", hint: "" };

function hindrance(
  shape: keyof typeof shapes,
  command: RotationCommand,
  evidence: Partial<RotationEvidence> = {},
  absent?: RotationRefusal,
): string | undefined {
  const all = evidenceOf({ ...closed, ...evidence });
  return hindranceOf(shapes[shape], command, all, 9_000, () => absent)?.code;
}

describe("what hinders a command beside its gate", () => {
  const abort = { kind: "abort" } as const;
  const confirm = { kind: "confirm" } as const;
  const expiring = { endsAtMs: () => 9_999, lifeMs: { usual: 1_000, longest: 1_000 } };

  it("is nothing where only the gate is closed", () => {
    assert.equal(hindrance("A, B prepared", activate), undefined);
    assert.equal(hindrance("A, B prepared", abort), undefined);
    assert.equal(hindrance("B, A retiring", retire), undefined);
    assert.equal(hindrance("B, A retired", confirm), undefined);
  });

  it("is told while the gate is closed", () => {
    assert.equal(hindrance("A alone", activate), "nothing-prepared");
    assert.equal(hindrance("A, B prepared", retire), "nothing-to-retire");
    assert.equal(hindrance("B, A confirmed", confirm), "nothing-to-confirm");
    assert.equal(hindrance("A, B prepared", activate, expiring), "authority-expiring");
    assert.equal(hindrance("B, A retiring", rollback, expiring), "authority-expiring");
    const filedRoots = [rootOf("A")];
    assert.equal(hindrance("B, A retiring", retire, { filedRoots }), "root-in-files");
  });

  it("is also what the next state would lack", () => {
    assert.equal(hindrance("A, B prepared", activate, {}, missing), "key-missing");
    assert.equal(hindrance("A alone", activate, {}, missing), "nothing-prepared");
  });
});
