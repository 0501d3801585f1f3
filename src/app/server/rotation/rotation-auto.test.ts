import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pino } from "pino";
import {
  activate,
  authorityOf,
  afterCommands,
  closedGate,
} from "../../../../test/support/trust-states.ts";
import type {
  RotationDecision,
  RotationRefusal,
  RotationRefusalCode,
} from "../../../core/trust/rotation.ts";
import { withDenyList, type TrustState } from "../../../core/trust/trust-state.ts";
import { DenyList } from "../../../core/deny/deny-list.ts";
import { RotationAuto } from "./rotation-auto.ts";

interface Rig {
  readonly auto: RotationAuto;
  state: TrustState;
  code: RotationRefusalCode;
  attempts: number;
  /** What refuses it before it is tried. */
  hindrance: RotationRefusal | undefined;
  filedRoot: Uint8Array;
  readonly logged: string[];
}

/** Its gate is open, and each attempt is refused. */
function startRig(): Rig {
  const authority = authorityOf("B", { auto: true });
  const logged: string[] = [];
  const decision = { kind: "done", state: afterCommands([]), effects: [] } as const;
  const rig: Rig = {
    state: afterCommands([{ kind: "prepare", authority }]),
    code: "key-missing",
    attempts: 0,
    hindrance: undefined,
    filedRoot: authority.root,
    logged,
    auto: new RotationAuto({
      state: () => rig.state,
      rotation: {
        decide: () =>
          rig.hindrance === undefined ? decision : { kind: "refused", refusal: rig.hindrance },
        order: (): Promise<RotationDecision> => {
          rig.attempts += 1;
          const refusal = { code: rig.code, message: `${rig.code} of B`, hint: "" };
          return Promise.resolve({ kind: "refused", refusal });
        },
      },
      filedRoot: () => rig.filedRoot,
      settle: () => Promise.resolve(),
      waivers: { prune: () => {}, end: () => {}, current: [] },
      log: pino({}, { write: (line) => void logged.push(JSON.parse(line).reason) }),
    }),
  };
  return rig;
}

async function steps(rig: Rig, count: number): Promise<number> {
  const before = rig.attempts;
  for (let left = count; left > 0; left--) await rig.auto.step();
  return rig.attempts - before;
}

describe("an automatic step that is refused for its key", () => {
  it("says why, in the log once, and tries again less and less often, at least once in 61 steps", async () => {
    const rig = startRig();
    await using auto = rig.auto;
    assert.equal(await steps(rig, 1), 1);
    assert.equal(auto.automatic, "activate: waits (key-missing): key-missing of B");
    assert.equal(await steps(rig, 2), 1);
    assert.equal(await steps(rig, 120), 5);
    assert.equal(await steps(rig, 61), 1);
    assert.deepEqual(rig.logged, ["key-missing"]);
    rig.code = "key-pin-rejected";
    await steps(rig, 61);
    assert.deepEqual(rig.logged, ["key-missing", "key-pin-rejected"]);
  });

  it("because of a wrong PIN is not tried again before an operator reloads, or the authorities are others", async () => {
    const rig = startRig();
    await using auto = rig.auto;
    rig.code = "key-pin-rejected";
    assert.equal(await steps(rig, 200), 1);
    rig.state = withDenyList(rig.state, DenyList.empty);
    assert.equal(await steps(rig, 5), 0);
    auto.retry();
    assert.equal(await steps(rig, 5), 1);
    const authority = authorityOf("C", { auto: true });
    rig.state = afterCommands([{ kind: "prepare", authority }]);
    assert.equal(await steps(rig, 5), 1);
  });
});

describe("an automatic step that something hinders", () => {
  const refusal = { code: "authority-expiring", message: "expected ...", hint: "" } as const;

  it("is told in the log once for each reason, whatever time is in its words, and a closed gate never", async () => {
    const rig = startRig();
    await using _ = rig.auto;
    for (const message of ["at 1", "at 2"]) {
      rig.hindrance = { ...refusal, message };
      await steps(rig, 2);
    }
    const gate = closedGate();
    assert.ok(gate.kind === "closed");
    rig.hindrance = { code: "verifiers-lagging", message: "expected ...", hint: "", gate };
    await steps(rig, 2);
    rig.hindrance = { ...refusal, code: "root-in-files" };
    await steps(rig, 2);
    assert.deepEqual(rig.logged, ["authority-expiring", "root-in-files"]);
    assert.equal(rig.attempts, 0);
  });
});

describe("what lies on disk and does not sign yet", () => {
  it("is the CA that the files are of, while it is prepared, and no other", async () => {
    const rig = startRig();
    await using auto = rig.auto;
    assert.deepEqual(
      auto.waiting.map(({ part, reason, detail }) => [part, reason, detail]),
      [["ca", "rotation-waits", "activate: now"]],
    );
    rig.filedRoot = authorityOf("A").root;
    assert.deepEqual(auto.waiting, []);
    rig.state = afterCommands([activate], rig.state);
    rig.filedRoot = authorityOf("B").root;
    assert.equal(auto.automatic, "retire: now");
    assert.deepEqual(auto.waiting, []);
  });
});
