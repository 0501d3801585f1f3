import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  activate,
  afterCommands,
  authorityOf,
  compromiseOf,
  evidenceOf,
  firstTrust,
  idOf,
  letterOf,
  openGate,
  outcomeText,
  prepareOf,
  retire,
  rollback,
  rootOf,
  shapes,
} from "../../../test/support/trust-states.ts";
import { destroyedBy } from "./next-trust.ts";
import { decideRotation } from "./rotation-machine.ts";
import type { RotationCommand } from "./rotation.ts";
import type { TrustState } from "./trust-state.ts";

const prepare = prepareOf("B");
const abort = { kind: "abort" } as const;
const confirm = { kind: "confirm" } as const;

describe("a gate of a rotation", () => {
  const asked: string[] = [];
  const listening = evidenceOf({
    verifiers: () => {
      asked.push("verifiers");
      return openGate;
    },
    holders: ({ id }) => {
      asked.push(`holders of ${letterOf(id)}`);
      return openGate;
    },
  });
  const expected: readonly (readonly [keyof typeof shapes, RotationCommand, readonly string[]])[] =
    [
      ["A alone", prepare, []],
      ["A, B prepared", activate, ["verifiers"]],
      ["A, B prepared", abort, ["holders of B"]],
      ["A, B rolled back", abort, ["holders of B"]],
      ["B, A retiring", rollback, []],
      ["B, A retiring", retire, ["holders of A"]],
      ["B, A retiring", compromiseOf("B"), []],
      ["B, A retired", confirm, ["verifiers"]],
    ];
  for (const [shape, command, gates] of expected) {
    it(`is asked in ${shape} by ${command.kind}: ${gates.join() || "none"}`, () => {
      asked.length = 0;
      assert.equal(decideRotation(shapes[shape], command, listening, 9_000).kind, "done");
      assert.deepEqual(asked, gates);
    });
  }
});

describe("a step of a rotation", () => {
  it("remembers since when each authority is in its state, and only of those that moved", () => {
    const since = (state: TrustState): string =>
      state.authorities.map(({ id, sinceMs }) => `${letterOf(id)} ${sinceMs}`).join();
    assert.equal(since(shapes["A, B prepared"]), "A 1000,B 2000");
    assert.equal(since(shapes["B, A retiring"]), "B 3000,A 3000");
    assert.equal(since(shapes["B, A retired"]), "B 3000");
    assert.equal(shapes["B, A retired"].retired[0]?.atMs, 4_000);
  });

  it("refuses to withdraw a root that the operator's files name, and compromises it all the same", () => {
    const evidence = (letter: string) => evidenceOf({ filedRoots: [rootOf(letter)] });
    const retiring = shapes["B, A retiring"];
    const rolledBack = shapes["A, B rolled back"];
    assert.equal(
      outcomeText(decideRotation(retiring, retire, evidence("A"), 9_000)),
      "root-in-files",
    );
    assert.equal(decideRotation(retiring, retire, evidence("B"), 9_000).kind, "done");
    const decision = decideRotation(rolledBack, abort, evidence("B"), 9_000);
    assert.equal(outcomeText(decision), "root-in-files");
    assert.equal(decideRotation(retiring, compromiseOf("A"), evidence("A"), 9_000).kind, "done");
  });

  it("of files goes on by an operator only, once one has rolled it back", () => {
    const auto = { kind: "prepare", authority: authorityOf("B", { auto: true }) } as const;
    const activated = afterCommands([auto, activate]);
    assert.equal(activated.authorities.find(({ id }) => id === idOf("B"))?.auto, true);
    const back = afterCommands([rollback], activated);
    assert.ok(back.authorities.every(({ auto }) => !auto));
  });

  it("remembers which authority was adopted, through each of its steps", () => {
    const adopt = { kind: "prepare", authority: authorityOf("B", { adopted: true }) } as const;
    const adoptedIn = (commands: readonly RotationCommand[]): readonly string[] =>
      afterCommands(commands).authorities.flatMap(({ id, adopted }) => (adopted ? [id] : []));
    const away = [adopt, activate, retire, prepareOf("C"), activate];
    for (const commands of [[adopt], [adopt, activate], [adopt, activate, rollback], away]) {
      assert.deepEqual(adoptedIn(commands), [idOf("B")]);
    }
    assert.deepEqual(adoptedIn([...away, retire]), []);
  });

  it("takes a root that was trusted already, publishes nothing, and withdraws it whole", () => {
    const trusting = { ...firstTrust, otherRoots: [rootOf("B"), rootOf("X")] };
    const prepared = decideRotation(trusting, prepare, evidenceOf(), 2_000);
    assert.equal(outcomeText(prepared), "A active; B prepared; ABX -> ");
    assert.ok(prepared.kind === "done");
    assert.deepEqual(prepared.state.otherRoots, [rootOf("X")]);
    assert.equal(prepared.state.bundleSequence, trusting.bundleSequence);
    const aborted = decideRotation(prepared.state, abort, evidenceOf(), 3_000);
    assert.equal(outcomeText(aborted), "A active; B retired; AX -> publish-bundle, destroy-key B");
  });

  it("waits for one that ends before what it is to sign, and takes one that lasts just long enough", () => {
    const until = (endMs: number) =>
      evidenceOf({ endsAtMs: () => endMs, lifeMs: { usual: 1_000, longest: 5_000 } });
    const activated = (endMs: number) =>
      decideRotation(shapes["A, B prepared"], activate, until(endMs), 9_000);
    assert.equal(outcomeText(activated(13_999)), "authority-expiring");
    assert.equal(activated(14_000).kind, "done");
    // Nor is one published that would wait in vain.
    const begun = (endMs: number) =>
      decideRotation(firstTrust, prepareOf("B"), until(endMs), 9_000);
    assert.equal(outcomeText(begun(13_999)), "authority-expiring");
    assert.equal(begun(14_000).kind, "done");
    // Its end may be why there is a rotation.
    const back = (endMs: number) =>
      decideRotation(shapes["B, A retiring"], rollback, until(endMs), 9_000);
    assert.equal(outcomeText(back(9_999)), "authority-expiring");
    assert.equal(back(10_000).kind, "done");
  });

  it("destroys what the store may have of an authority", () => {
    const aborted = decideRotation(shapes["A, B prepared"], abort, evidenceOf(), 9_000);
    assert.ok(aborted.kind === "done");
    assert.deepEqual(destroyedBy(aborted), [idOf("B")]);
  });

  it("has a replacement sign where the key of the other authority is missing, which stays as it is", () => {
    const table = [
      ["A, B prepared", "A", "B", "C active; B prepared; A compromised; BC"],
      ["B, A retiring", "B", "A", "C active; A retiring; B compromised; AC"],
    ] as const;
    for (const [shape, leaked, keyless, expected] of table) {
      const command = { ...compromiseOf(leaked), keylessId: idOf(keyless) };
      assert.equal(
        outcomeText(decideRotation(shapes[shape], command, evidenceOf(), 9_000)),
        "replacement-needed",
      );
      const replaced = { ...command, replacement: authorityOf("C") };
      const decision = decideRotation(shapes[shape], replaced, evidenceOf(), 9_000);
      assert.equal(outcomeText(decision).split(" -> ")[0], expected);
    }
  });

  it("refuses an authority that shares its root or its key with one that is there", () => {
    const a = authorityOf("A");
    for (const same of [{ id: a.id }, { root: a.root }]) {
      const command = { kind: "prepare", authority: { ...authorityOf("C"), ...same } } as const;
      for (const shape of ["A alone", "B, A compromised"] as const) {
        const decision = decideRotation(shapes[shape], command, evidenceOf(), 9_000);
        assert.equal(
          outcomeText(decision),
          "authority-known",
          `${shape}: ${Object.keys(same).join()}`,
        );
      }
    }
  });

  it("forgets the oldest that was retired, and those that were compromised last", () => {
    let state = afterCommands([prepare, compromiseOf("A")]);
    for (const letter of "CDEFGHIJKL") {
      state = afterCommands([prepareOf(letter), abort], state);
    }
    assert.equal(state.retired.map(({ id }) => letterOf(id)).join(""), "LKJIHGFA");
  });
});
