import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { firstStage, memberOf, viewOf } from "../../../test/support/flips.ts";
import { nextFlip } from "./flip-machine.ts";
import type { MemberState } from "./flip-view.ts";
import { waitsFor } from "./flip-waits.ts";
import { withSilence } from "./waived-silence.ts";

const nowMs = 100_000;
const told = { isWaived: true, evidenceUntilMs: nowMs - 5_000 };

const isWaivedStill = (more: Partial<MemberState>): boolean | undefined =>
  withSilence([memberOf("shop/api-a", { ...told, ...more })], nowMs)[0]?.isWaived;

describe("a waiver of a proxy's silence", () => {
  const table: readonly (readonly [title: string, more: Partial<MemberState>, counts: boolean])[] =
    [
      ["does not count where its agent is back and tells", {}, false],
      ["counts while its agent is away", { isConnected: false }, true],
      ["counts where it has told nothing yet", { evidenceUntilMs: undefined }, true],
      ["counts where it is behind", { evidenceUntilMs: nowMs - 30_001 }, true],
      ["counts where what is missing does not come any more", { hasGap: true }, true],
      ["is none where nobody waives it", { isWaived: false, isConnected: false }, false],
    ];
  for (const [title, more, counts] of table) {
    it(title, () => assert.equal(isWaivedStill(more), counts));
  }

  it("holds a stage for the evidence of a proxy that is back, as if nobody had waived it", () => {
    const late = memberOf("shop/api-a", { isWaived: true, evidenceUntilMs: 500 });
    const others = viewOf().workloads.filter(({ name }) => name !== late.name);
    const view = viewOf({ workloads: withSilence([late, ...others], 1_500) });
    assert.equal(nextFlip(firstStage(), view, 1_500), undefined);
    const [wait] = waitsFor(firstStage(), view, 1_500);
    assert.deepEqual([wait?.kind, wait?.name], ["evidence", "shop/api-a"]);
  });
});
