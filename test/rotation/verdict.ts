/** What both sides of all handshakes have counted, and that not one may have failed. */

import assert from "node:assert/strict";
import type { PairsSeen } from "../../src/app/demo/mesh/coverage.ts";
import type { MemberTls } from "../../src/app/demo/mesh/member.ts";
import type { PairTraffic } from "../../src/app/demo/mesh/pair-traffic.ts";

const failuresShown = 10;
const complaintsShown = 40;

export interface Verdict extends Pick<PairTraffic, "sent" | "failed" | "failures" | "slowestMs"> {
  readonly seen: PairsSeen;
  readonly tls: MemberTls;
  readonly complaints: readonly string[];
}

/** In a line, for a test's diagnostics. */
export function verdictText({ sent, failed, slowestMs, seen, tls }: Verdict): string {
  return JSON.stringify({ sent, failed, slowestMs, seen, tls });
}

/** Not one has failed, by anybody's count, and each request had a handshake of its own, counted at both ends. */
export function assertNoneFailed(verdict: Verdict): void {
  const { sent, failed, failures, tls } = verdict;
  const story = [
    ...failures.slice(0, failuresShown).map((failure) => JSON.stringify(failure)),
    ...complaintsBefore(failures[0]?.atMs ?? 0, verdict.complaints),
  ];
  assert.equal(failed, 0, story.join("\n"));
  assert.deepEqual(tls.failures, {}, story.join("\n"));
  assert.equal(tls.resumed, 0);
  assert(tls.handshakes >= 2 * sent, `${tls.handshakes} handshakes for ${sent} requests`);
}

function complaintsBefore(atMs: number, complaints: readonly string[]): readonly string[] {
  const timeOf = (line: string): number => Date.parse(/"time":"([^"]*)"/.exec(line)?.[1] ?? "");
  return complaints.filter((line) => timeOf(line) <= atMs).slice(-complaintsShown);
}
