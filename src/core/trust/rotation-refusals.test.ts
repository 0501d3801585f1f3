import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  afterCommands,
  authorityOf,
  closedGate,
  evidenceOf,
  firstTrust,
  idOf,
  laggard,
  prepareOf,
  rootOf,
} from "../../../test/support/trust-states.ts";
import { decideRotation } from "./rotation-machine.ts";
import type { RotationCommand, RotationEvidence, RotationRefusal } from "./rotation.ts";
import type { TrustState } from "./trust-state.ts";

function refusalOf(
  state: TrustState,
  command: RotationCommand,
  evidence: Partial<RotationEvidence> = {},
): RotationRefusal {
  const decision = decideRotation(state, command, evidenceOf(evidence), 9_000);
  assert.ok(decision.kind === "refused");
  return decision.refusal;
}

const activate = { kind: "activate" } as const;
const retire = { kind: "retire" } as const;
const abort = { kind: "abort" } as const;
const rollback = { kind: "rollback" } as const;
const confirm = { kind: "confirm" } as const;
const prepared = afterCommands([prepareOf("B")]);
const retiring = afterCommands([activate], prepared);
const retired = afterCommands([retire], retiring);
const compromised = afterCommands([{ kind: "compromise", authorityId: idOf("A") }], prepared);
const old: TrustState = {
  ...firstTrust,
  authorities: firstTrust.authorities.map((each) => ({ ...each, sinceMs: 0 })),
};
const hourMs = 3_600_000;
const expiring: Partial<RotationEvidence> = {
  endsAtMs: () => hourMs / 2,
  lifeMs: { usual: hourMs, longest: 2 * hourMs },
};
const four = ["a", "b", "c", "d"].map((name) => laggard(`agent/${name}`));
const closed = (changes: Parameters<typeof closedGate>[0] = {}) => ({
  verifiers: () => closedGate(changes),
  holders: () => closedGate(changes),
});

describe("a refusal says what was expected, what is there, and the next command", () => {
  const table: readonly (readonly [RotationRefusal, RegExp, RegExp])[] = [
    [
      refusalOf(prepared, prepareOf("C")),
      /authority 42, prepared since 1970-01-01T00:00:02/,
      /go on: portcullis root rotate --resume; .*: portcullis root abort$/,
    ],
    [
      refusalOf(retiring, prepareOf("C")),
      /authority 41, retiring/,
      /root rotate --resume; .*: portcullis root rollback$/,
    ],
    [
      refusalOf(firstTrust, prepareOf("A")),
      /got those of authority 41, active/,
      /--ca-dir.*key of its own/,
    ],
    [
      refusalOf(compromised, prepareOf("A")),
      /authority 41, distrusted as compromised at 1970/,
      /root prepare/,
    ],
    [refusalOf(firstTrust, activate), /got authority 41, active since/, /root prepare.*--from-dir/],
    [refusalOf(old, activate), /got authority 41, active$/, /root prepare/],
    [
      refusalOf(retiring, activate),
      /42, active.* and authority 41, retiring/,
      /root rotate --resume$/,
    ],
    [
      refusalOf(retiring, abort),
      /expected a prepared authority/,
      /go back first: portcullis root rollback; then .*root abort$/,
    ],
    [refusalOf(firstTrust, abort), /expected a prepared authority/, /root status/],
    [refusalOf(prepared, rollback), /expected a retiring authority/, /root abort/],
    [refusalOf(retired, rollback), /expected a retiring authority/, /retired cannot.*root status/],
    [refusalOf(firstTrust, rollback), /expected a retiring/, /no rotation has begun.*root prepare/],
    [
      refusalOf(prepared, activate, expiring),
      /ends at 1970-01-01T02:00:09Z or later, got 42, which ends at 1970-01-01T00:30:00Z$/,
      /root abort.*lower certificates\.maxTtl.*root activate$/,
    ],
    [
      refusalOf(retiring, rollback, expiring),
      /ends at 1970-01-01T01:00:09Z or later, got 41, which ends/,
      /root rotate --resume; .*lower certificates\.defaultTtl.*root rollback$/,
    ],
    [
      refusalOf(firstTrust, prepareOf("C"), expiring),
      /ends at 1970-01-01T02:00:09Z or later, got 43, which ends at 1970-01-01T00:30:00Z$/,
      /^take one that lives longer; or lower certificates\.maxTtl .*reload \(SIGHUP\)$/,
    ],
    [refusalOf(prepared, retire), /expected a retiring authority/, /^first.*root activate$/],
    [refusalOf(firstTrust, retire), /expected a retiring authority/, /root prepare/],
    [refusalOf(firstTrust, confirm), /got none/, /root status/],
    [
      refusalOf(prepared, { kind: "compromise", authorityId: "ff" }),
      /authorities 41, 42, got ff$/,
      /root status/,
    ],
    [
      refusalOf(retired, { kind: "compromise", authorityId: "41" }),
      /got 41, withdrawn at 1970/,
      /root status/,
    ],
    [
      refusalOf(firstTrust, { kind: "compromise", authorityId: "41" }),
      /41, active.* alone/,
      /root compromise 41 --key-type p256; .*root compromise 41 --from-dir DIR; /,
    ],
    [
      refusalOf(retiring, retire, { filedRoots: [rootOf("A")] }),
      /--ca-dir.*41, retiring/,
      /all files of the authority that signs.*root-cert\.pem.*without --ca-dir; .*root retire$/,
    ],
    [
      refusalOf(prepared, abort, { filedRoots: [rootOf("B")] }),
      /--ca-dir.*42, prepared/,
      /all files of the authority that signs.*root-cert\.pem.*without --ca-dir; .*root abort$/,
    ],
    [
      refusalOf(prepared, activate, closed({ laggards: four, lagging: 7 })),
      /present bundle, got 7 that do not: agent\/a \(not-acknowledged\), agent\/b .*, agent\/c .* and 4 more$/,
      /root status --all.*root activate --waive NAME/,
    ],
    [
      refusalOf(retiring, retire, closed({ opensAtMs: 60_000 })),
      /hangs on the root of authority 41, got 1 that does: agent\/a-1@spiffe:\/\/td\/a \(not-acknowledged\)$/,
      /wait, it opens by itself, then: portcullis root retire;/,
    ],
    [
      refusalOf(
        prepared,
        abort,
        closed({ laggards: [laggard("certificate/5a01", { reason: "root-unknown" })] }),
      ),
      /got 1 that may: certificate\/5a01 \(root-unknown\)$/,
      /see to them, then: portcullis root abort;/,
    ],
    [
      refusalOf(
        prepared,
        abort,
        closed({ laggards: [laggard("server/log", { reason: "rebuilding" })] }),
      ),
      /got 1 that does: server\/log \(rebuilding\)/,
      /again in a minute: portcullis root abort$/,
    ],
    [refusalOf(retired, confirm, closed()), /present bundle/, /retired: portcullis root status/],
  ];
  for (const [{ code, message, hint }, expectedMessage, expectedHint] of table) {
    it(`${code}: ${message}`, () => {
      assert.match(message, expectedMessage);
      assert.match(message, /^expected .*got /);
      assert.match(hint, expectedHint);
      assert.match(hint, /portcullis root |--ca-dir|SIGHUP/);
      assert.doesNotMatch(`${message}${hint}`, /undefined|NaN|\.$|\.000Z/);
    });
  }

  it("with the gate, where evidence is missing", () => {
    const gate = closedGate();
    assert.equal(refusalOf(prepared, activate, { verifiers: () => gate }).gate, gate);
    assert.equal(refusalOf(retiring, retire, { holders: () => gate }).gate, gate);
    assert.equal(refusalOf(prepared, rollback).gate, undefined);
  });

  it("before a trust state becomes too large to end what was begun", () => {
    const authority = authorityOf("C", { chain: [new Uint8Array(12_000)] });
    for (const command of [
      { kind: "prepare", authority } as const,
      { kind: "compromise", authorityId: "41", replacement: authority } as const,
    ]) {
      const { code, message, hint } = refusalOf(firstTrust, command);
      assert.equal(code, "trust-state-too-large");
      assert.match(message, /at most 15872 characters, got 16\d{3}; nothing has been changed/);
      assert.match(hint, /root prepare --key-type p256/);
    }
  });
});
