/** Anything in any order: the world changes, time passes or is set back, steps are asked for, an operator interferes, the server starts anew. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { flipOf, flipWorkloads, memberOf, refusedOf, viewOf } from "../../../test/support/flips.ts";
import type { Holder } from "../evidence/address-history.ts";
import { endMs, refusedCallers, revertCause } from "./flip-causes.ts";
import { encodeFlip, parseFlip } from "./flip-codec.ts";
import { isRefusal } from "./flip-error.ts";
import { heldBack, holdOf } from "./flip-hold.ts";
import { nextFlip, revertFlip, type ObjectNow } from "./flip-machine.ts";
import type { FlipView, MemberState, RefusedCall } from "./flip-view.ts";
import { waitsFor } from "./flip-waits.ts";
import { hasEnded, lastMs, type Flip } from "./flip.ts";
import { parseStages } from "./stages.ts";
import type { ObjectSays } from "./object-says.ts";
import { overruledCause } from "./superseding.ts";

interface World extends FlipView {
  readonly nowMs: number;
}

type Event =
  | { readonly kind: "world"; readonly change: (world: World) => World }
  | { readonly kind: "step" | "restart" }
  | { readonly kind: "revert"; readonly operator: string };

const world = (change: (world: World) => World): Event => ({ kind: "world", change });
const workload = fc.constantFrom(...flipWorkloads);
const names = ["shop/x", "shop/y", "shop/z"];
const holder: fc.Arbitrary<Holder> = fc.oneof(
  fc.record({
    kind: fc.constant("workload"),
    name: fc.constantFrom(...names),
    isMeshed: fc.boolean(),
  }),
  fc.constantFrom<Holder>(
    { kind: "unknown" },
    { kind: "several", names },
    { kind: "own", name: "shop/x" },
  ),
);
const call: fc.Arbitrary<RefusedCall> = fc
  .record({
    member: workload,
    port: fc.constantFrom(8080, 9000),
    kind: fc.constantFrom("plaintext", "plaintext", "passthrough", "tls", "mtls"),
    holder,
    agoMs: fc.integer({ min: 0, max: 100_000 }),
    lastMs: fc.integer({ min: 0, max: 900_000 }),
  })
  .map(({ agoMs, lastMs: last, ...more }) => ({
    ...more,
    lastMs: last,
    firstMs: Math.max(0, last - agoMs),
  }));

function withMember(name: string, more: Partial<MemberState> | undefined): Event {
  return world(({ workloads, ...rest }) => {
    const others = workloads.filter((each) => each.name !== name);
    const now = workloads.find((each) => each.name === name) ?? memberOf(name, { stage: "pushed" });
    return { ...rest, workloads: more === undefined ? others : [...others, { ...now, ...more }] };
  });
}

const member: fc.Arbitrary<Partial<MemberState> | undefined> = fc.option(
  fc.record(
    {
      stage: fc.constantFrom(
        "in-force",
        "in-force",
        "pushed",
        "draining",
        "silent",
        "refused",
        "no-proxy",
      ),
      isConnected: fc.boolean(),
      isWaived: fc.boolean(),
      evidenceUntilMs: fc.option(fc.integer({ min: 0, max: 1_000_000 }), { nil: undefined }),
    },
    { requiredKeys: [] },
  ),
  { nil: undefined },
);
const verdict = fc.constantFrom("safe", "safe", "safe", "unsafe", "unknown", "nobody");
const object = fc.constantFrom(
  ...(["after", "after", "after", "after", "partly", "before", "other", "overruled"] as const),
);

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Event>({ kind: "step" }) },
  { weight: 2, arbitrary: fc.constant<Event>({ kind: "restart" }) },
  {
    weight: 5,
    arbitrary: fc.tuple(workload, member).map(([name, more]) => withMember(name, more)),
  },
  // What goes well for all at once: else hardly a flip would end.
  {
    weight: 4,
    arbitrary: fc.constant(
      world((old) => ({ ...viewOf(), nowMs: old.nowMs + 2_000, refused: old.refused })),
    ),
  },
  { weight: 2, arbitrary: object.map((each) => world((old) => ({ ...old, object: each }))) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("before", "other", "after").map((each) =>
      world((old) => ({
        ...old,
        object: each,
        absentSinceMs: each === "after" ? undefined : old.nowMs,
      })),
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom("known", "known", "blind")
      .map((evidence) => world((old) => ({ ...old, evidence, lookedSinceMs: old.nowMs }))),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...names), fc.integer({ min: 0, max: 900_000 }))
      .map((each) =>
        world((old) => ({ ...old, waivedUntil: new Map([...old.waivedUntil, each]) })),
      ),
  },
  {
    weight: 2,
    arbitrary: verdict.map((kind) => world((old) => ({ ...old, verdict: { kind, names: [] } }))),
  },
  {
    weight: 1,
    arbitrary: call.map((each) => world((old) => ({ ...old, refused: [...old.refused, each] }))),
  },
  {
    weight: 4,
    arbitrary: fc
      .oneof(fc.integer({ min: -5_000, max: 20_000 }), fc.constant(300_000))
      .map((ms) => world((old) => ({ ...old, nowMs: Math.max(0, old.nowMs + ms) }))),
  },
  { weight: 1, arbitrary: fc.constant<Event>({ kind: "revert", operator: "ada" }) },
);

const start = fc.record({
  stages: fc.constantFrom("all", "1,all", "1,40%,all", "2,3,4,all", "1%,60%,all").map(parseStages),
  revertOnRefused: fc.constantFrom(undefined, 1, 2, 3),
  ports: fc.constantFrom([], [8080]),
  isOurs: fc.boolean(),
});

interface Step {
  readonly before: Flip;
  readonly after: Flip;
  readonly world: World;
  readonly event: Event;
}

function objectNow(said: ObjectSays): ObjectNow {
  return { object: said, isStanding: said === "after" || said === "overruled" };
}

function stepOf(flip: Flip, { kind, ...event }: Event, now: World): Flip {
  if (kind === "restart") return parseFlip(encodeFlip(flip));
  if (kind === "step") return nextFlip(flip, now, now.nowMs) ?? flip;
  if (!("operator" in event)) return flip;
  const cause = { kind: "operator", operator: event.operator, reason: "" } as const;
  const reverted = revertFlip(flip, cause, objectNow(now.object), now.nowMs);
  return isRefusal(reverted) ? flip : reverted;
}

function always(property: (step: Step) => void, ended?: (flip: Flip) => void): void {
  fc.assert(
    fc.property(
      start,
      fc.array(event, { minLength: 10, maxLength: 80, size: "max" }),
      (from, events) => {
        const { isOurs, ...more } = from;
        let flip = flipOf({ ...more, edit: { ...flipOf().edit, isOurs } });
        let now: World = { ...viewOf(), nowMs: 2_000 };
        for (const each of events) {
          if (each.kind === "world") now = each.change(now);
          const after = stepOf(flip, each, now);
          property({ before: flip, after, world: now, event: each });
          flip = after;
        }
        ended?.(flip);
      },
    ),
    { numRuns: 600 },
  );
}

const isHeld = (flip: Flip, name: string): boolean => heldBack(flip, name, 8080);

describe("whatever happens", () => {
  test("a stage opens only where the verdict is SAFE, the object says so, the last one is in force, and all have told since", () => {
    let count = 0;
    always(({ before, after, world: now }) => {
      if (after.opened.length === before.opened.length) return;
      count++;
      assert.equal(after.opened.length, before.opened.length + 1);
      assert.deepEqual([now.object, now.evidence], ["after", "known"]);
      assert.ok(
        now.verdict.kind === "safe" || (now.verdict.kind === "nobody" && before.opened.length > 0),
      );
      const last = before.opened.at(-1);
      const sinceMs = last === undefined ? before.startedMs : (last.inForceMs ?? Number.NaN);
      for (const { name, stage, isWaived, evidenceUntilMs = 0, isConnected } of now.workloads) {
        if (stage === "no-proxy") continue;
        assert.ok(isWaived || evidenceUntilMs > sinceMs, name);
        if (isHeld(before, name)) assert.ok(isWaived || isConnected, name);
        else
          assert.ok(stage === "in-force" || (stage === "silent" && isWaived), `${name} ${stage}`);
      }
    });
    assert.ok(count > 300, `${count} stages`);
  });

  test("who is strict is held back again by a revert only, and who is held back becomes strict by a stage only", () => {
    always(({ before, after }) => {
      for (const name of [...flipWorkloads, "shop/api-new"]) {
        if (isHeld(before, name) === isHeld(after, name)) continue;
        if (isHeld(after, name)) assert.equal(after.state.kind, "reverting");
        else if (after.opened.length === before.opened.length) assert.ok(hasEnded(after));
      }
    });
  });

  test("what is held back is the same for the flip and for the policies", () => {
    always(({ after }) => {
      const hold = holdOf(after);
      for (const name of flipWorkloads) {
        const isInHold = hold !== undefined && !hold.strict.has(name);
        assert.equal(isHeld(after, name), isInHold);
      }
    });
  });

  test("a revert happens once, for its causes only, and nothing comes after it", () => {
    let count = 0;
    always(({ before, after, world: now, event: { kind } }) => {
      const [was, is] = [before.state.kind, after.state.kind];
      const isAgain = was === "superseded" && kind === "revert" && objectNow(now.object).isStanding;
      if (hasEnded(before) && was !== "done" && !isAgain) assert.deepEqual(after, before);
      if (was === "reverting") assert.ok(is === "reverting" || is === "reverted");
      if (is === "reverted" && was !== "reverted") {
        assert.equal(was, "reverting");
        assert.ok(now.object === "before" || now.object === "other");
      }
      if (after.state.kind !== "reverting" || was === "reverting") return;
      count++;
      const { cause } = after.state;
      if (cause.kind === "operator") return assert.equal(kind, "revert");
      assert.notEqual(was, "done");
      assert.deepEqual(cause, revertCause(before, now) ?? overruledCause(before, now));
      if (cause.kind === "superseded") return assert.equal(now.object, "overruled");
      const isThere = (name: string, isMeshed: boolean): boolean =>
        now.refused.some(
          (each) =>
            each.holder.kind === "workload" &&
            each.holder.name === name &&
            (!isMeshed || each.holder.isMeshed),
        );
      assert.ok(cause.callers.every((name) => isThere(name, cause.kind === "meshed-failure")));
      const least = cause.kind === "refused" ? (before.revertOnRefused ?? Infinity) : 1;
      const isCounted = (name: string): boolean =>
        now.refused.some(
          ({ holder, lastMs: last }) =>
            "name" in holder && holder.name === name && last > (now.waivedUntil.get(name) ?? -1),
        );
      assert.ok(cause.kind !== "refused" || cause.callers.every(isCounted));
      assert.ok(new Set(cause.callers).size >= least);
    });
    assert.ok(count > 100, `${count} reverts`);
  });

  test("who is done has been seen by all, or names those who have not told of the whole window or are not strict", () => {
    let count = 0;
    always(({ before, after, world: now }) => {
      if (after.state.kind !== "done" || before.state.kind === "done") return;
      count++;
      assert.equal(before.state.kind, "watching");
      const { unseen } = after.state;
      for (const { name, stage, evidenceUntilMs = 0 } of now.workloads) {
        const hasTold = evidenceUntilMs >= endMs(before) || stage === "no-proxy";
        const isLax = stage === "pushed" || stage === "refused";
        assert.equal(unseen.includes(name), !hasTold || isLax, name);
      }
      if (unseen.length > 0 || now.evidence === "blind") {
        const isWaived = now.workloads.every(
          (each) => each.isWaived || !unseen.includes(each.name),
        );
        const atMs = Math.max(now.nowMs, lastMs(before));
        const isLate = atMs >= Math.max(endMs(before), now.lookedSinceMs) + 60_000;
        assert.ok(isLate || (isWaived && now.evidence === "known"));
      }
    });
    assert.ok(count > 15, `${count} ends`);
  });

  test("an object that is missing ends no flip within 30 s, and one that is there and says otherwise does at once", () => {
    let [missed, ended] = [0, 0];
    always(({ before, after, world: now, event: { kind } }) => {
      if (kind !== "step" || hasEnded(before) || before.state.kind === "reverting") return;
      const says = now.object === "other" || now.object === "before";
      if (before.opened.length === 0 || !says) return;
      const atMs = Math.max(now.nowMs, lastMs(before));
      const isMissed = now.absentSinceMs !== undefined && atMs < now.absentSinceMs + 30_000;
      assert.equal(after.state.kind === "superseded", !isMissed);
      if (isMissed) missed++;
      else ended++;
    });
    assert.ok(missed > 10 && ended > 10, `${missed} missed, ${ended} ended`);
  });

  test("time never goes back", () => {
    always(({ before, after, world: { nowMs } }) => {
      assert.ok(lastMs(after) >= lastMs(before));
      assert.ok(lastMs(after) <= Math.max(lastMs(before), nowMs));
      const times = after.opened.flatMap(({ openedMs, inForceMs = openedMs }) => [
        openedMs,
        inForceMs,
      ]);
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
      );
    });
  });

  test("a start from what is durable goes on to the same", () => {
    always(({ before, event: each, world: now }) => {
      const again = parseFlip(encodeFlip(before));
      assert.deepEqual(again, before);
      assert.deepEqual(stepOf(again, each, now), stepOf(before, each, now));
    });
  });

  test("a step is waited for by name, or taken, or there is none", () => {
    always(({ before, world: now }) => {
      const waits = waitsFor(before, now, now.nowMs);
      const next = nextFlip(before, now, now.nowMs);
      if (hasEnded(before)) assert.deepEqual([waits, next], [[], undefined]);
      else assert.ok(waits.length > 0 || next !== undefined, before.state.kind);
      for (const each of waits)
        assert.ok(each.detail !== "" && (each.name !== "" || each.kind === "window"));
    });
  });

  test("every flip comes to an end where all goes well, and where an operator takes it back", () => {
    const ends = (from: Flip, view: FlipView): Flip => {
      let flip = from;
      for (let at = 0; at < 20; at++) flip = nextFlip(flip, view, 10_000_000 * (at + 1)) ?? flip;
      return flip;
    };
    always(
      () => undefined,
      (flip) => {
        const isBack = flip.state.kind === "reverting";
        assert.ok(
          hasEnded(ends(flip, viewOf(isBack ? { object: "before" } : {}))),
          flip.state.kind,
        );
        const cause = { kind: "operator", operator: "ada", reason: "" } as const;
        const reverted = revertFlip(flip, cause, objectNow("after"), 1);
        if (isRefusal(reverted)) return assert.ok(hasEnded(flip));
        assert.equal(ends(reverted, viewOf({ object: "before" })).state.kind, "reverted");
      },
    );
  });
});

test("however many connections, from wherever: only distinct workloads that are known count", () => {
  const opened = [{ index: 0, workloads: [], openedMs: 0, inForceMs: 0 }];
  const flip: Flip = {
    ...flipOf({ stages: parseStages("all"), revertOnRefused: 3 }),
    opened,
    state: { kind: "watching", sinceMs: 0 },
  };
  fc.assert(
    fc.property(fc.array(call, { maxLength: 30 }), (calls) => {
      const known = calls.filter((each) => each.holder.kind === "workload");
      const unknown = calls.filter((each) => each.holder.kind !== "workload");
      assert.equal(revertCause(flip, viewOf({ refused: unknown })), undefined);
      assert.deepEqual(refusedCallers(flip, calls), refusedCallers(flip, known));
      const most = new Set(known.map((each) => each.holder.kind === "workload" && each.holder.name))
        .size;
      assert.ok(refusedCallers(flip, [...calls, ...calls]).length <= most);
      const two = calls.filter(
        (each) => each.holder.kind !== "workload" || each.holder.name !== "shop/z",
      );
      const plain = two.filter(({ kind }) => kind === "plaintext" || kind === "passthrough");
      assert.equal(revertCause(flip, viewOf({ refused: plain })), undefined);
    }),
  );
  const refused = names.map((name) => refusedOf(name));
  assert.equal(revertCause(flip, viewOf({ refused }))?.kind, "refused");
});
