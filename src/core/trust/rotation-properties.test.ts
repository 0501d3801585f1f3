/** Any commands in any order, with gates that open and close, files that change and authorities of any kind. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  authorityOf,
  closedGate,
  evidenceOf,
  firstTrust,
  idOf,
  keyIdOf,
  rootOf,
} from "../../../test/support/trust-states.ts";
import { hasBytes } from "../bytes.ts";
import { rootSha256, rootsDigest } from "../spiffe/roots-digest.ts";
import { formerKeysMax, retiredMax } from "./authority.ts";
import { judgePluggedAuthority, type PluggedAuthority } from "./plugged-trust.ts";
import { decideRotation } from "./rotation-machine.ts";
import type { RotationCommand, RotationEffect, RotationEvidence } from "./rotation.ts";
import { encodeTrustState, parseTrustState } from "./trust-state-codec.ts";
import { activeAuthority, authorityIn, bundleOf, type TrustState } from "./trust-state.ts";

/** A small letter's root is its capital's, renewed. */
const letter = fc.constantFrom("A", "B", "C", "D", "E", "F");
const root = fc.constantFrom("A", "B", "C", "D", "E", "F", "a", "b");
const newAuthority = fc
  .tuple(root, fc.boolean())
  .map(([name, auto]) => authorityOf(name, { auto }));
const command: fc.Arbitrary<RotationCommand> = fc.oneof(
  fc.record({ kind: fc.constant("prepare"), authority: newAuthority }),
  fc.constantFrom<RotationCommand>({ kind: "activate" }, { kind: "rollback" }, { kind: "retire" }),
  fc.constantFrom<RotationCommand>({ kind: "abort" }, { kind: "confirm" }),
  fc.record(
    {
      kind: fc.constant("compromise"),
      authorityId: letter.map(idOf),
      replacement: newAuthority,
    },
    { requiredKeys: ["kind", "authorityId"] },
  ),
);
const evidence: fc.Arbitrary<RotationEvidence> = fc
  .record({
    verifiers: fc.boolean(),
    holders: fc.boolean(),
    filed: fc.subarray(["A", "B", "C", "X"], { maxLength: 2 }),
  })
  .map(({ verifiers, holders, filed }) =>
    evidenceOf({
      ...(!verifiers && { verifiers: () => closedGate() }),
      ...(!holders && { holders: () => closedGate() }),
      filedRoots: filed.map(rootOf),
    }),
  );
const plugged: fc.Arbitrary<PluggedAuthority> = fc
  .record({
    root,
    key: fc.constantFrom("A", "B", "C", "D", "E", "F", "K", "L"),
    others: fc.subarray(["A", "B", "X", "Y", "a", "x"]),
  })
  .map(({ root, key, others }) => ({
    id: idOf(key),
    chain: [],
    root: rootOf(root),
    roots: [root, ...others].map(rootOf),
  }));
const event = fc.oneof(
  { weight: 4, arbitrary: fc.record({ command, evidence }) },
  { weight: 1, arbitrary: fc.record({ plugged }) },
);
type Event = typeof event extends fc.Arbitrary<infer Value> ? Value : never;

interface Step {
  readonly event: Event;
  readonly before: TrustState;
  readonly after: TrustState;
  /** Undefined for a refusal, and for files that change nothing. */
  readonly effects: readonly RotationEffect[] | undefined;
}

function stepOf(before: TrustState, event: Event, nowMs: number): Step {
  const document = encodeTrustState(before);
  const done =
    "command" in event
      ? decideRotation(before, event.command, event.evidence, nowMs)
      : judgePluggedAuthority(before, event.plugged, keyIdOf);
  assert.equal(encodeTrustState(before), document, "what was there has been written to");
  if (!("effects" in done)) return { event, before, after: before, effects: undefined };
  return { event, before, after: done.state, effects: done.effects };
}

/** Of every step of every sequence. */
function always(property: (step: Step) => void): void {
  fc.assert(
    fc.property(fc.array(event, { minLength: 15, maxLength: 40, size: "max" }), (events) => {
      let state = firstTrust;
      for (const [index, event] of events.entries()) {
        const step = stepOf(state, event, 2_000 + index);
        property(step);
        state = step.after;
      }
    }),
    { numRuns: 300 },
  );
}

const rootsOf = (state: TrustState): readonly Uint8Array[] => bundleOf(state).roots;
const isClosed = (gate: { readonly kind: string }): boolean => gate.kind === "closed";

describe("whatever is commanded", () => {
  it("the bundle has the active root, and nothing signs under a root that was not trusted before", () => {
    always(({ event, before, after }) => {
      const { root } = activeAuthority(after);
      assert.ok(hasBytes(rootsOf(after), root));
      const isReplaced = "command" in event && event.command.kind === "compromise";
      if (!isReplaced) assert.ok(hasBytes(rootsOf(before), root));
    });
  });

  it("an authority's root leaves by an open gate or a compromise, and never by files", () => {
    always(({ event, before, after }) => {
      const left = before.authorities.filter(({ root }) => !hasBytes(rootsOf(after), root));
      if (left.length === 0) return;
      assert.ok("command" in event);
      const { command, evidence } = event;
      if (command.kind === "compromise") {
        const isLeaked = left.some(({ id }) => id === command.authorityId);
        assert.ok(isLeaked);
        return;
      }
      assert.equal(left.length, 1);
      assert.ok(command.kind === "retire" || command.kind === "abort", command.kind);
      assert.ok(left[0] && left[0].state !== "active" && !isClosed(evidence.holders(left[0])));
      assert.ok(!hasBytes(evidence.filedRoots, left[0].root));
    });
  });

  it("the sequence rises by one if the roots change, and they are published then only", () => {
    always(({ before, after, effects = [] }) => {
      const hasChanged = rootsDigest(rootsOf(before)) !== rootsDigest(rootsOf(after));
      assert.equal(after.bundleSequence - before.bundleSequence, hasChanged ? 1n : 0n);
      assert.equal(
        effects.some(({ kind }) => kind === "publish-bundle"),
        hasChanged,
      );
    });
  });

  it("the epoch rises by one with what is done, and a refusal changes nothing", () => {
    always(({ before, after, effects }) => {
      assert.equal(after.epoch - before.epoch, effects === undefined ? 0 : 1);
      if (effects === undefined) assert.equal(after, before);
    });
  });

  it("what signs is another one only with the effect that says so, and keys go with their authority", () => {
    always(({ before, after, effects = [] }) => {
      const named = (kind: RotationEffect["kind"]): readonly string[] =>
        effects.flatMap((effect) =>
          effect.kind === kind && "authorityId" in effect ? [effect.authorityId] : [],
        );
      const { id } = activeAuthority(after);
      assert.deepEqual(named("sign-with"), id === activeAuthority(before).id ? [] : [id]);
      const ids = new Set(after.authorities.map((each) => each.id));
      const gone = before.authorities.filter((each) => !ids.has(each.id));
      assert.deepEqual(
        named("destroy-key"),
        gone.map((each) => each.id),
      );
    });
  });

  it("nothing is trusted that has a key which was compromised, as long as that is remembered", () => {
    // The signing keys of each root, the newest last: kept here, and not taken from the list that is under test.
    const signed = new Map<string, readonly string[]>();
    let count = 0;
    always(({ before, after }) => {
      if (before === firstTrust) signed.clear();
      const compromised = after.retired.filter((each) => each.compromised);
      const keysOf = (digest: string) => signed.get(digest) ?? [];
      const gone = new Set(compromised.flatMap((each) => keysOf(each.rootSha256)));
      for (const { id, root } of after.authorities) {
        const digest = rootSha256(root);
        const others = keysOf(digest).filter((each) => each !== id && each !== keyIdOf(root));
        signed.set(digest, [keyIdOf(root), ...others.slice(-formerKeysMax), id]);
      }
      const kept = new Set([
        ...after.authorities.map(({ root }) => rootSha256(root)),
        ...compromised.map((each) => each.rootSha256),
      ]);
      for (const digest of signed.keys()) if (!kept.has(digest)) signed.delete(digest);
      count += gone.size;
      const trusted = [...rootsOf(after).map(keyIdOf), ...after.authorities.map(({ id }) => id)];
      assert.deepEqual(
        trusted.filter((each) => gone.has(each)),
        [],
      );
    });
    assert.ok(count > 100, `${count} keys`);
  });

  it("the state is stored and read back as it is, frozen, with few that were retired", () => {
    always(({ after }) => {
      const again = parseTrustState(after.epoch, encodeTrustState(after));
      assert.deepEqual(again, { ...after, denyDigest: Uint8Array.from(after.denyDigest) });
      assert.ok(after.retired.length <= retiredMax);
      const values = [after, after.authorities, after.retired, ...after.authorities];
      assert.ok(values.every(Object.isFrozen));
    });
  });

  it("a rollback right after an activation has the same one sign, both trusted as before", () => {
    let count = 0;
    always(({ event, before, after, effects }) => {
      const isActivated = "command" in event && event.command.kind === "activate" && effects;
      if (!isActivated) return;
      count++;
      const back = decideRotation(after, { kind: "rollback" }, evidenceOf(), 9_000);
      assert.ok(back.kind === "done");
      assert.equal(activeAuthority(back.state).id, activeAuthority(before).id);
      assert.equal(authorityIn(back.state, "prepared")?.id, authorityIn(before, "prepared")?.id);
      assert.deepEqual(bundleOf(back.state), bundleOf(before));
    });
    assert.ok(count > 20, `${count} activations`);
  });
});
