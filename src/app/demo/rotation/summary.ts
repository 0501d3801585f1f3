/** The verdict on the second act, and how it is said. */

import type { PairsSeen } from "../mesh/coverage.ts";
import type { MemberTls } from "../mesh/member.ts";
import type { PairFailure, PairTraffic } from "../mesh/pair-traffic.ts";
import { painter } from "../paint.ts";
import { formatOffset } from "../story.ts";
import { pairsText } from "./board.ts";
import type { RotationOutcome } from "./scenario.ts";

/** Moments are milliseconds since the start of the act. */
export interface RotationSummary extends RotationOutcome {
  readonly seed: number;
  readonly elapsedMs: number;
  readonly workloads: number;
  readonly requests: { readonly sent: number; readonly failed: number; readonly slowestMs: number };
  /** The first ones. */
  readonly failures: readonly PairFailure[];
  /** Of all Envoys together, both sides of each handshake. */
  readonly tls: MemberTls;
  readonly pairs: PairsSeen;
}

/** @param run in Unix milliseconds */
export function summarizeRotation(
  { seed, startedMs, endedMs }: Readonly<Record<"seed" | "startedMs" | "endedMs", number>>,
  outcome: RotationOutcome,
  { sent, failed, slowestMs, coverage, failures }: PairTraffic,
  tls: MemberTls,
): RotationSummary {
  return {
    ...outcome,
    seed,
    elapsedMs: endedMs - startedMs,
    workloads: coverage.size,
    requests: { sent, failed, slowestMs },
    failures: failures.map((failure) => ({ ...failure, atMs: failure.atMs - startedMs })),
    tls,
    pairs: coverage.seen,
  };
}

/** @returns what does not hold; empty if the act has shown what it promises */
export function unmetOfRotation(summary: RotationSummary): readonly string[] {
  const { requests, tls, pairs, frozen, workloads, wasRolledBack, holdersNamed } = summary;
  const all = workloads * (workloads - 1);
  const failures = Object.entries(tls.failures).map(([name, count]) => `${name} ${count}`);
  const conditions: (readonly [boolean, string])[] = [
    [requests.sent > 0, "expected requests, got none"],
    [requests.failed === 0, `${requests.failed} of ${requests.sent} requests failed`],
    [failures.length === 0, `Envoys counted failed handshakes: ${failures.join(", ")}`],
    [tls.resumed === 0, `Envoys resumed ${tls.resumed} sessions instead of new handshakes`],
    [
      tls.handshakes >= 2 * requests.sent,
      `expected ${2 * requests.sent} handshakes or more at both ends, got ${tls.handshakes}`,
    ],
    [frozen.named.length > 0, `activate was not refused while agent ${frozen.agent} was frozen`],
    [frozen.others.length === 0, `activate was refused for others: ${frozen.others.join(", ")}`],
    [wasRolledBack, "the rollback gave nobody a certificate of the old root"],
    [holdersNamed > 0, "retire was not refused while certificates hung on the old root"],
    ...["1/1", "2/2"].map((key): [boolean, string] => [
      pairs[key] === all,
      `expected ${all} ordered pairs under ${pairsText({ [key]: pairs[key] ?? 0 })}`,
    ]),
    ...["1/2", "2/1"].map((key): [boolean, string] => [
      (pairs[key] ?? 0) > 0,
      `expected a pair of an old and a new certificate, got ${pairsText({ [key]: 0 })}`,
    ]),
  ];
  return conditions.flatMap(([holds, complaint]) => (holds ? [] : [complaint]));
}

const failuresShown = 5;

export function formatRotationSummary(
  summary: RotationSummary,
  colour: boolean,
): readonly string[] {
  const paint = painter(colour);
  const unmet = unmetOfRotation(summary);
  const shown = summary.failures.slice(0, failuresShown);
  return [
    paint("bold", `Summary of act 2, seed ${summary.seed}, ${seconds(summary.elapsedMs)} in all`),
    "",
    ...facts(summary).map(([name, text]) => `${name.padEnd(26)}${text}`),
    ...shown.map(
      ({ atMs, caller, callee, reason }) =>
        `failed at ${formatOffset(atMs).trim()}: ${caller} -> ${callee}: ${reason}`,
    ),
    "",
    ...(unmet.length === 0
      ? [paint("green", "PASS: root B signs, nobody trusts root A, and no handshake failed")]
      : unmet.map((complaint) => paint("red", `FAIL: ${complaint}`))),
  ];
}

function facts(summary: RotationSummary): readonly (readonly [string, string])[] {
  const { requests, tls, frozen, pairs, workloads } = summary;
  const { sent, failed, slowestMs } = requests;
  return [
    ["requests", `${sent} on a new TLS connection each, ${failed} failed`],
    ["slowest", `${slowestMs.toFixed(1)} ms`],
    [
      "handshakes, both ends",
      `${tls.handshakes}, ${failureCount(tls)} failed, ${tls.resumed} resumed`,
    ],
    ["ordered pairs seen", `${pairsText(pairs)} of ${workloads * (workloads - 1)}`],
    ["frozen", `agent ${frozen.agent} for ${seconds(frozen.spanMs)}`],
    ["activate waited for", frozen.named.join(", ")],
    ["retire waited for", `${summary.holdersNamed} certificates of root A`],
    ["from prepare to the end", seconds(summary.rotationMs)],
  ];
}

export function failureCount({ failures }: MemberTls): number {
  return Object.values(failures).reduce((sum, count) => sum + count, 0);
}

function seconds(spanMs: number): string {
  return `${(spanMs / 1_000).toFixed(1)} s`;
}
