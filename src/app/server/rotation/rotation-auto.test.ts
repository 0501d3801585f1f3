import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pino } from "pino";
import { authorityOf, afterCommands } from "../../../../test/support/trust-states.ts";
import type { RotationDecision, RotationRefusalCode } from "../../../core/trust/rotation.ts";
import { withDenyList, type TrustState } from "../../../core/trust/trust-state.ts";
import { DenyList } from "../../../core/deny/deny-list.ts";
import { RotationAuto } from "./rotation-auto.ts";

interface Rig {
  readonly auto: RotationAuto;
  state: TrustState;
  code: RotationRefusalCode;
  attempts: number;
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
    logged,
    auto: new RotationAuto({
      state: () => rig.state,
      rotation: {
        decide: () => decision,
        order: (): Promise<RotationDecision> => {
          rig.attempts += 1;
          const refusal = { code: rig.code, message: `${rig.code} of B`, hint: "" };
          return Promise.resolve({ kind: "refused", refusal });
        },
      },
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
