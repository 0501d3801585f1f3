/** Which of two trust states follows from the other: over the whole small space, and against histories whose truth is known. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  isTouched,
  judgeTrust,
  type FoundTrust,
  type LocalTrust,
  type Stamp,
  type TrustJudgement,
} from "./trust-judgement.ts";

const epochs = [1, 2, 3, 4] as const;
const digests = ["a", "b"] as const;
const stamps: readonly Stamp[] = epochs.flatMap((epoch) =>
  digests.map((digest) => ({ epoch, digest })),
);
const here = "here";
const mesh = "mesh";

const locals: readonly LocalTrust[] = stamps.flatMap((stamp) => [
  { ...stamp, writer: here, published: undefined, attempted: [] },
  ...stamps
    .filter(({ epoch }) => epoch <= stamp.epoch)
    .flatMap((each) => {
      const published = { ...each, lineage: mesh };
      const attempts = [
        [],
        ...stamps.filter(({ epoch }) => epoch > each.epoch).map((one) => [one]),
      ];
      return attempts.map((attempted) => ({ ...stamp, writer: here, published, attempted }));
    }),
]);
const records = stamps.flatMap((stamp) =>
  [mesh, "other"].flatMap((lineage) =>
    [here, "there"].map((writer) => ({ kind: "record", ...stamp, lineage, writer }) as const),
  ),
);

const isSame = (a: Stamp, b: Stamp): boolean => a.epoch === b.epoch && a.digest === b.digest;

describe("a data directory beside the Secret", () => {
  it("is written over by nothing that it does not know, and writes over nothing later", () => {
    let count = 0;
    for (const local of locals) {
      for (const found of records) {
        count++;
        const judgement = judgeTrust(local, found);
        const what = JSON.stringify({ local, found, judgement });
        const { published } = local;
        if (judgement === "push") {
          assert.ok(found.epoch < local.epoch && published?.lineage === found.lineage, what);
          const isKnown = found.epoch < published.epoch || isSame(found, published);
          const isAttempted = local.attempted.some((each) => isSame(each, found));
          assert.ok(isKnown || (found.writer === here && isAttempted), what);
        }
        if (judgement === "adopt") {
          assert.ok(found.epoch > local.epoch && published?.lineage === found.lineage, what);
          assert.ok(isSame(local, published), what);
        }
        if (judgement === "same") assert.ok(isSame(local, found), what);
        if (published === undefined) assert.ok(["same", "foreign"].includes(judgement), what);
        if (published !== undefined && found.lineage !== mesh)
          assert.equal(judgement, "foreign", what);
      }
    }
    assert.ok(count > 500);
  });

  const record: FoundTrust = {
    kind: "record",
    epoch: 4,
    digest: "x",
    lineage: mesh,
    writer: "there",
  };
  const at = (
    epoch: number,
    digest: string,
    published?: Stamp,
    ...attempted: readonly Stamp[]
  ): LocalTrust => ({
    epoch,
    digest,
    writer: here,
    published: published && { ...published, lineage: mesh },
    attempted,
  });
  const x4 = { epoch: 4, digest: "x" };
  const table: readonly (readonly [string, LocalTrust | undefined, FoundTrust, TrustJudgement])[] =
    [
      ["nothing anywhere: the first trust is made", undefined, { kind: "none" }, "first"],
      ["no Secret: it is made", at(4, "x"), { kind: "none" }, "create"],
      ["a lost disk: the Secret's", undefined, record, "adopt"],
      [
        "a lost disk and a Secret that is unreadable: neither",
        undefined,
        { kind: "malformed" },
        "edited",
      ],
      ["a Secret that is unreadable", at(4, "x", x4), { kind: "malformed" }, "edited"],
      ["a Secret of a newer version", at(4, "x", x4), { kind: "newer" }, "newer"],
      ["both alike", at(4, "x", x4), record, "same"],
      ["a change that did not get there", at(5, "y", x4), record, "push"],
      ["many denials that did not get there", at(9, "y", x4), record, "push"],
      [
        "a change that got there without an answer",
        at(4, "x", { epoch: 3, digest: "w" }),
        record,
        "same",
      ],
      ["an older Secret was put back", at(6, "y", { epoch: 6, digest: "y" }), record, "push"],
      ["a later one by another server", at(3, "w", { epoch: 3, digest: "w" }), record, "adopt"],
      [
        "a later one, and a change of our own",
        at(3, "w", { epoch: 2, digest: "v" }),
        record,
        "forked",
      ],
      ["another's of the same epoch", at(4, "y", { epoch: 3, digest: "w" }), record, "forked"],
      [
        "edited by hand under the same epoch",
        at(4, "y", { epoch: 4, digest: "y" }),
        record,
        "edited",
      ],
      [
        "edited by hand, and a change of our own",
        at(5, "z", { epoch: 4, digest: "y" }),
        record,
        "edited",
      ],
      ["a directory that was never part of it", at(3, "w"), record, "foreign"],
      [
        "a directory of another mesh",
        at(3, "w", { epoch: 3, digest: "w" }),
        { ...record, lineage: "b" },
        "foreign",
      ],
      [
        "restored from a backup, behind itself",
        at(2, "v", { epoch: 2, digest: "v" }),
        { ...record, writer: here },
        "adopt",
      ],
      [
        "restored from a backup with a change that the Secret may never have had",
        at(2, "v", { epoch: 1, digest: "u" }),
        { ...record, writer: here },
        "forked",
      ],
      [
        "written from here before an end",
        at(5, "z", { epoch: 3, digest: "w" }, x4),
        { ...record, writer: here },
        "push",
      ],
      [
        "one of several that were sent from here before an end",
        at(6, "z", { epoch: 3, digest: "w" }, x4, { epoch: 5, digest: "y" }),
        { ...record, writer: here },
        "push",
      ],
      [
        "written by a copy of this directory",
        at(5, "z", { epoch: 3, digest: "w" }),
        { ...record, writer: here },
        "forked",
      ],
      [
        "written by a copy of this directory, which was to write another",
        at(5, "z", { epoch: 3, digest: "w" }, { epoch: 4, digest: "y" }),
        { ...record, writer: here },
        "forked",
      ],
    ];
  for (const [title, local, found, expected] of table) {
    it(`judges ${expected}: ${title}`, () => assert.equal(judgeTrust(local, found), expected));
  }

  const touched: readonly (readonly [string, LocalTrust, FoundTrust, boolean])[] = [
    ["nothing was there yet", at(4, "x", { epoch: 0, digest: "" }), { kind: "none" }, false],
    ["what was seen", at(5, "y", x4), record, false],
    ["what was sent since", at(5, "y", { epoch: 3, digest: "w" }, x4), record, false],
    ["deleted", at(5, "y", x4), { kind: "none" }, true],
    ["unreadable", at(5, "y", x4), { kind: "malformed" }, true],
    ["an older one", at(6, "y", { epoch: 6, digest: "y" }), record, true],
    ["another of that epoch", at(5, "y", { epoch: 4, digest: "w" }), record, true],
  ];
  for (const [title, local, found, expected] of touched) {
    const verdict = expected ? "has been touched" : "has not been touched";
    it(`${verdict}: ${title}`, () => assert.equal(isTouched(local, found), expected));
  }

  it("loses no state and forks none, whatever order servers, crashes, copies and lost disks come in", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(1), fc.nat(7)), { maxLength: 80, size: "max" }),
        playHistory,
      ),
      { numRuns: 500 },
    );
  });
});

interface Version extends Stamp {
  readonly parent: Version | undefined;
}

interface Directory {
  readonly writer: string;
  state: Version | undefined;
  published: LocalTrust["published"];
  attempted: readonly Stamp[];
}

function descends(version: Version | undefined, ancestor: Version | undefined): boolean {
  for (let each = version; each !== undefined; each = each.parent)
    if (each === ancestor) return true;
  return false;
}

/** Two directories and one register. Only what was judged with the register as it is now is carried out: that is the CAS. */
function playHistory(steps: readonly (readonly [number, number])[]): void {
  let register: { readonly version: Version; readonly writer: string } | undefined;
  let made = 0;
  const newDirectory = (): Directory => ({
    writer: `w${made++}`,
    state: undefined,
    published: undefined,
    attempted: [],
  });
  const directories = [newDirectory(), newDirectory()];
  for (const [which, action] of steps) {
    const each = directories[which] ?? newDirectory();
    if (action === 0) {
      directories[which] = newDirectory();
      continue;
    }
    // A copy of the other one, under its name.
    if (action === 6) {
      directories[which] = { ...(directories[1 - which] ?? newDirectory()) };
      continue;
    }
    if (action <= 2) {
      if (each.state === undefined) continue;
      each.state = { epoch: each.state.epoch + 1, digest: `d${made++}`, parent: each.state };
      continue;
    }
    const found: FoundTrust =
      register === undefined
        ? { kind: "none" }
        : { kind: "record", ...register.version, lineage: mesh, writer: register.writer };
    const { writer, published, attempted } = each;
    const local = each.state && { ...each.state, writer, published, attempted };
    const judgement = judgeTrust(local, found);
    assert.notEqual(judgement, "edited", "nobody has edited it");
    if (judgement === "first") each.state = { epoch: 1, digest: `d${made++}`, parent: undefined };
    if (judgement === "create" || judgement === "push") {
      assert.ok(register === undefined || descends(each.state, register.version), judgement);
      if (each.state === undefined) throw new TypeError("nothing to be written");
      each.attempted = [...each.attempted, each.state];
      each.published ??= { epoch: 0, digest: "", lineage: mesh };
      // It never got there.
      if (action === 7) continue;
      register = { version: each.state, writer: each.writer };
    }
    if (judgement === "adopt") {
      assert.ok(each.state === undefined || descends(register?.version, each.state), judgement);
      each.state = register?.version;
    }
    // The last: it ended before it knew that it was written.
    const knows = action !== 5 || judgement === "adopt";
    const isThere = ["create", "push", "adopt", "same"].includes(judgement);
    if (each.published === undefined && isThere)
      each.published = { epoch: 0, digest: "", lineage: mesh };
    if (isThere && knows && register !== undefined) {
      each.published = { ...register.version, lineage: mesh };
      each.attempted = [];
    }
  }
}
