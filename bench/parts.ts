/** The parts of a bench, in the order of the report. */

import { batchCases, benchBatches } from "./batches.ts";
import { recordsNeeded, warmUpCount } from "./drive.ts";
import { makeLoadFixture, type BenchSize, type Fixture, type LoadFixture } from "./fixture.ts";
import { benchEvidence } from "./evidence.ts";
import { benchFlip } from "./flip.ts";
import { benchFloor, benchIssuance, benchMemory, issuanceCases } from "./issuance.ts";
import { benchKube } from "./kube.ts";
import { benchLogged, loggedCases } from "./logged.ts";
import { benchLog } from "./log.ts";
import { benchNewcomer } from "./newcomer.ts";
import { benchNodeAgent } from "./node-agent.ts";
import { benchPolicy } from "./policy.ts";
import { benchPolicyPush } from "./policy-push.ts";
import { measurePkcs11 } from "./pkcs11.ts";
import type { Measure } from "./report.ts";
import { benchRotation } from "./rotation.ts";
import { benchStart } from "./start.ts";

/** With prepared requests, or without. */
type Part =
  | {
      readonly kind: "load";
      readonly records: (size: BenchSize) => number;
      readonly run: (fixture: LoadFixture) => Promise<Measure[]>;
    }
  | { readonly kind: "plain"; readonly run: (fixture: Fixture) => Promise<readonly Measure[]> };

const parts: ReadonlyMap<string, Part> = new Map<string, Part>([
  [
    "issuance",
    {
      kind: "load",
      records: ({ count, runs }) => recordsNeeded(issuanceCases, count, runs),
      run: benchIssuance,
    },
  ],
  [
    "batches",
    {
      kind: "load",
      records: ({ count, runs }) => recordsNeeded(batchCases, count, runs),
      run: benchBatches,
    },
  ],
  [
    "logged",
    {
      kind: "load",
      records: ({ count, runs }) => recordsNeeded(loggedCases, count, runs),
      run: benchLogged,
    },
  ],
  ["newcomer", { kind: "load", records: () => 1, run: benchNewcomer }],
  ["log", { kind: "load", records: () => warmUpCount, run: benchLog }],
  ["floor", { kind: "load", records: ({ count }) => count, run: benchFloor }],
  ["memory", { kind: "load", records: ({ certificates }) => certificates, run: benchMemory }],
  ["node", { kind: "plain", run: (fixture) => benchNodeAgent(fixture, 500) }],
  ["rotation", { kind: "plain", run: benchRotation }],
  ["policy", { kind: "plain", run: benchPolicy }],
  ["policy-push", { kind: "plain", run: benchPolicyPush }],
  ["flip", { kind: "plain", run: benchFlip }],
  ["evidence", { kind: "plain", run: benchEvidence }],
  ["kube", { kind: "plain", run: benchKube }],
  ["pkcs11", { kind: "plain", run: benchPkcs11 }],
  ["start", { kind: "plain", run: benchStart }],
]);

export const partNames: readonly string[] = [...parts.keys()];

/** @param names of `partNames` */
export async function benchParts(fixture: Fixture, names: readonly string[]): Promise<Measure[]> {
  const chosen = [...parts].filter(([name]) => names.includes(name)).map(([, part]) => part);
  const records = chosen.map((part) => (part.kind === "load" ? part.records(fixture.size) : 0));
  const most = Math.max(...records);
  const load = most > 0 ? await makeLoadFixture(fixture, most) : undefined;
  const measures: Measure[] = [];
  for (const part of chosen) {
    if (part.kind === "plain") measures.push(...(await part.run(fixture)));
    else if (load !== undefined) measures.push(...(await part.run(load)));
  }
  return measures;
}

async function benchPkcs11({ signal, progress }: Fixture): Promise<readonly Measure[]> {
  progress("signatures in a token");
  const outcome = await measurePkcs11(signal);
  if (outcome.kind === "measured") return outcome.measures;
  progress(`no figures of a token: ${outcome.reason}`);
  return [];
}
