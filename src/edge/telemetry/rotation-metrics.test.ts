import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import { addRotationGauges, type RotationEvidence } from "./rotation-metrics.ts";

test("shows evidence while something rotates, judged once a scrape, and the life of roots always", async () => {
  const registry = new Registry();
  let evidence: RotationEvidence | undefined;
  let asked = 0;
  addRotationGauges(registry, {
    rootLifeLeft: () => new Map([["0123456789abcdef", 0.25]]),
    verifiers: () => {
      asked++;
      return evidence;
    },
    holders: () => new Map(evidence === undefined ? [] : [["aa", 3]]),
  });
  const samples = async (): Promise<readonly string[]> =>
    (await registry.metrics()).split("\n").filter((line) => /^\w/.test(line));
  const life = 'portcullis_root_life_left_ratio{root="0123456789abcdef"} 0.25';
  assert.deepEqual(await samples(), [life]);
  evidence = { total: 10, confirmed: 7, lagging: 3 };
  assert.deepEqual(await samples(), [
    life,
    'portcullis_holders{authority="aa"} 3',
    "portcullis_rotation_verifiers 10",
    "portcullis_rotation_confirmed 7",
    "portcullis_rotation_laggards 3",
  ]);
  evidence = undefined;
  assert.deepEqual(await samples(), [life]);
  assert.equal(asked, 3);
});
