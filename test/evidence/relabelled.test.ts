/** Verdicts about proxies whose labels change: who called them, and for which target that counts. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { verdictOf, type Verdict } from "../../src/core/evidence/verdict.ts";
import type { EvidenceChange } from "../../src/edge/evidence/evidence-change.ts";
import {
  coverageOf,
  EVIDENCE_NOW_MS,
  EvidenceScene,
  memberOf,
  reportOf,
  seenOf,
} from "../support/evidence.ts";

const second = 1_000;
const bornMs = EVIDENCE_NOW_MS;
const nowMs = bornMs + 600 * second;
const labelled = (app: string, atS: number): EvidenceChange =>
  memberOf("p", { labels: `[["app","${app}"]]`, atMs: bornMs + atS * second });

let lives = 0;
/** @param calls in seconds */
function told(fromS: number, toS: number, calls: readonly number[] = []): EvidenceChange {
  const coverage = [coverageOf(bornMs + fromS * second, bornMs + toS * second)];
  const seen = calls.map((at) => seenOf(bornMs + at * second));
  lives++;
  // Each of a life of the agent of its own.
  return reportOf({ proxy: "p", sequence: 1, runId: `${lives}`, seen, coverage });
}

/** Another one, which was there all the time: the target is not young. */
const beside: readonly EvidenceChange[] = [
  memberOf("q", { labels: '[["app","db"]]', atMs: bornMs }),
  reportOf({ proxy: "q", reporter: "q", sequence: 1, coverage: [coverageOf(bornMs, nowMs)] }),
];

/** Of a proxy that was `web`, and is `db` since then. */
function verdictOn(app: string, changes: readonly EvidenceChange[]): Verdict {
  using scene = new EvidenceScene(bornMs - 3_600 * second);
  scene.write(labelled("web", 0), ...beside, ...changes);
  const lookBackMs = nowMs - bornMs;
  const members = scene.members(bornMs, { app });
  const keys = members.map(({ key }) => key);
  return verdictOf({
    target: `shop/${app}`,
    nowMs,
    lookBackMs,
    ports: [8080],
    members,
    seen: scene.seen(bornMs, keys),
    spans: scene.spans(bornMs).filter(({ member }) => keys.includes(member)),
    holderOf: () => ({ kind: "unknown" }),
    waived: new Set(),
    brokenCalls: [],
    lagMs: 30 * second,
  });
}

const cases: Readonly<
  Record<string, readonly [readonly EvidenceChange[], Verdict["kind"], Verdict["kind"]]>
> = {
  "nobody called": [[told(0, 200), labelled("db", 205), told(200, 600)], "safe", "safe"],
  "somebody called before": [
    [told(0, 200, [100]), labelled("db", 205), told(200, 600)],
    "unsafe",
    "unsafe",
  ],
  "somebody called before, and that was told after": [
    [told(0, 200), labelled("db", 205), told(200, 600, [202])],
    "unsafe",
    "unsafe",
  ],
  "somebody called after": [
    [told(0, 200), labelled("db", 205), told(200, 600, [300])],
    "safe",
    "unsafe",
  ],
  "nobody told of some time before": [
    [told(0, 100), told(130, 200), labelled("db", 205), told(200, 600)],
    "unknown",
    "unknown",
  ],
  "nobody told of the time in which it changed": [
    [told(0, 200), labelled("db", 250), told(300, 600)],
    "unknown",
    "unknown",
  ],
  "nobody told of some time after": [
    [told(0, 200), labelled("db", 205), told(200, 300), told(400, 600)],
    "safe",
    "unknown",
  ],
};

describe("where a proxy's labels change", () => {
  for (const [what, [changes, web, db]] of Object.entries(cases)) {
    it(`and ${what}: ${web} where it was, ${db} where it is`, () => {
      assert.equal(verdictOn("web", changes).kind, web);
      assert.equal(verdictOn("db", changes).kind, db);
    });
  }
});
