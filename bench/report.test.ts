import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { describeCommit, describeMachine } from "./machine.ts";
import type { Measure, ReportHead, Row } from "./report.ts";
import { formatReport } from "./report-text.ts";
import { hasMissed, makeReport } from "./report.ts";

const head: ReportHead = {
  machine: describeMachine(),
  commit: "0123456789ab",
  seed: 7,
  unitMicros: 200,
};

function row(measure: Partial<Measure>): Row {
  const [only] = makeReport(head, [{ name: "m", kind: "memory", runs: [1], ...measure }]).rows;
  assert.ok(only);
  return only;
}

describe("makeReport", () => {
  it("gives the median, whatever the order of the runs", () => {
    assert.deepEqual(
      [[3, 1, 2], [10, 9, 100], [4, 1, 2, 3], [5]].map((runs) => {
        const { median, min, max } = row({ runs });
        return [median, min, max];
      }),
      [
        [2, 1, 3],
        [10, 9, 100],
        [2.5, 1, 4],
        [5, 5, 5],
      ],
    );
  });

  it("refuses a measure without a run", () => {
    assert.throws(() => row({ runs: [] }), RangeError);
  });

  it("gives CPU, and nothing else, in units, too", () => {
    assert.equal(row({ kind: "cpu", runs: [300] }).units, 1.5);
    assert.equal(row({ kind: "latency", runs: [300] }).units, undefined);
  });

  it("scales peers and bounds by the unit where the speed of a core counts", () => {
    const scaled = (
      ["cpu", "latency", "rate", "duration", "memory", "size", "share", "count"] as const
    ).map((kind) => {
      const { peer, bound } = row({
        kind,
        peer: { name: "p", value: 100 },
        bound: { kind: "goal", value: 10 },
      });
      return [peer?.value, bound?.value];
    });
    assert.deepEqual(scaled, [
      [200, 20],
      [200, 20],
      [50, 5],
      [100, 10],
      [100, 10],
      [100, 10],
      [100, 10],
      [100, 10],
    ]);
  });

  const verdicts: [string, Measure["kind"], number[], "target" | "goal", Row["verdict"]][] = [
    ["at the bound", "memory", [10, 10, 10], "target", "met"],
    ["below it", "memory", [1, 2, 99], "target", "met"],
    ["above it in every run", "memory", [11, 12, 13], "target", "MISSED"],
    ["above it in most runs", "memory", [9, 12, 13], "target", "unclear"],
    ["above a goal", "memory", [11, 12, 13], "goal", "goal"],
    ["below a goal", "memory", [1, 2, 3], "goal", "met"],
    ["a rate above it", "rate", [5, 6, 7], "target", "met"],
    ["a rate below it in every run", "rate", [2, 3, 4], "target", "MISSED"],
    ["a rate below it in most runs", "rate", [2, 3, 5], "target", "unclear"],
  ];
  for (const [title, kind, runs, bound, verdict] of verdicts) {
    it(`says ${verdict} to ${title}`, () => {
      assert.equal(row({ kind, runs, bound: { kind: bound, value: 10 } }).verdict, verdict);
    });
  }

  it("fails only by a target that is missed", () => {
    const bounds = ["target", "goal"] as const;
    assert.deepEqual(
      bounds.map((kind) =>
        hasMissed(
          makeReport(head, [
            { name: "unbound", kind: "memory", runs: [1] },
            { name: "m", kind: "memory", runs: [11], bound: { kind, value: 10 } },
          ]),
        ),
      ),
      [true, false],
    );
  });
});

describe("formatReport", () => {
  it("shows the machine, the unit, the commit and the seed, and every row in its columns", () => {
    const text = formatReport(
      makeReport(head, [
        {
          name: "CPU per certificate",
          kind: "cpu",
          runs: [500, 520, 510],
          peer: { name: "istiod", value: 424 },
          bound: { kind: "target", value: 300 },
        },
        { name: "RSS", kind: "memory", runs: [99.5] },
      ]),
    );
    for (const part of [head.machine.cpu, process.version, "200 us", "0123456789ab", "seed 7"]) {
      assert.ok(text.includes(part), part);
    }
    assert.match(
      text,
      /^CPU per certificate {2}510 +500\.\.520 +us +2\.55 +848 istiod +<= 600 +met$/m,
    );
    assert.match(text, /^RSS +99\.5 +MiB$/m);
  });
});

describe("describeCommit", () => {
  it("never fails", async () => {
    assert.match(await describeCommit(), /^(unknown|[0-9a-f]{12,}(-dirty)?)$/);
  });
});
