/** The verdict on the third act, and how it is said. */

import { painter } from "../paint.ts";
import { formatOffset } from "../story.ts";
import type { RequestFailure } from "../traffic.ts";
import { batch, cron, nameOf, report, servers } from "./manifests.ts";
import type { FlipOutcome } from "./scenario.ts";

/** Moments are milliseconds since the start of the act. */
export interface FlipSummary extends FlipOutcome {
  readonly seed: number;
  readonly elapsedMs: number;
  /** Over mTLS: of the client that always sent it. */
  readonly requests: { readonly sent: number; readonly failed: number };
  /** Over mTLS: of those who have moved. */
  readonly moved: { readonly sent: number; readonly failed: number };
  readonly failures: readonly RequestFailure[];
}

const [safe, unsafe] = [0, 4];
const revertMsMax = 5_000;

/** @returns what does not hold; empty if the act has shown what it promises */
export function unmetOfFlip(summary: FlipSummary): readonly string[] {
  const { requests, moved, named, checks, stages, late, revertMs, end } = summary;
  const expected = [batch, cron].map(nameOf).toSorted().join(", ");
  const [first = [], all = []] = stages;
  const conditions: readonly (readonly [boolean, string])[] = [
    [requests.sent > 0 && moved.sent > 0, "expected requests over mTLS, got none"],
    [requests.failed === 0, `${requests.failed} of ${requests.sent} requests failed`],
    [moved.failed === 0, `${moved.failed} of ${moved.sent} requests of those who moved failed`],
    [named.join(", ") === expected, `check named ${named.join(", ")}, and not ${expected}`],
    [checks[0] === unsafe, `expected exit code ${unsafe} of the first check, got ${checks[0]}`],
    [checks[1] === safe, `expected exit code ${safe} of the second check, got ${checks[1]}`],
    [first.length === 1, `the first stage made ${first.length} of the servers strict`],
    [all.length === servers.length, `the last stage made ${all.length} of the servers strict`],
    [late.wasRefused, "the late caller was not refused by each strict server"],
    [
      late.named.join() === nameOf(report),
      `the flip named ${late.named.join(", ")} as refused, and not ${nameOf(report)}`,
    ],
    [end.state === "reverted" && end.cause === "operator", `it is ${end.state} (${end.cause})`],
    [
      revertMs !== undefined && revertMs <= revertMsMax,
      `plaintext was served again after ${revertMs === undefined ? "never" : `${revertMs} ms`}`,
    ],
  ];
  return conditions.flatMap(([holds, complaint]) => (holds ? [] : [complaint]));
}

const failuresShown = 5;

export function formatFlipSummary(summary: FlipSummary, colour: boolean): readonly string[] {
  const paint = painter(colour);
  const unmet = unmetOfFlip(summary);
  const shown = summary.failures.slice(0, failuresShown);
  return [
    paint("bold", `Summary of act 3, seed ${summary.seed}, ${seconds(summary.elapsedMs)} in all`),
    "",
    ...facts(summary).map(([name, text]) => `${name.padEnd(26)}${text}`),
    ...shown.map(({ atMs, reason }) => `failed at ${formatOffset(atMs).trim()}: ${reason}`),
    "",
    ...(unmet.length === 0
      ? [paint("green", "PASS: who sent plaintext was named, and no request over mTLS failed")]
      : unmet.map((complaint) => paint("red", `FAIL: ${complaint}`))),
  ];
}

function facts(summary: FlipSummary): readonly (readonly [string, string])[] {
  const { requests, moved, named, stages, late, revertMs } = summary;
  return [
    ["requests", `${requests.sent} on a new TLS connection each, ${requests.failed} failed`],
    ["of those who moved", `${moved.sent}, ${moved.failed} failed`],
    ["named before the flip", named.join(", ")],
    ["strict, stage by stage", stages.map((names) => names.join(", ")).join("; ")],
    ["refused, by name", late.named.join(", ")],
    ["plaintext after revert", revertMs === undefined ? "never" : `served in ${revertMs} ms`],
  ];
}

function seconds(spanMs: number): string {
  return `${(spanMs / 1_000).toFixed(1)} s`;
}
