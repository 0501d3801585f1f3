/** The judge of changes that somebody would make, or might make, to the cluster's PeerAuthentications: by what the server knows. */

import type { RecentChanges } from "../../../../core/kube/guard/recent-changes.ts";
import { notRecorded } from "../../flips/evidence-questions.ts";
import { absenceBy, listenersBy } from "../../flips/proxy-absence.ts";
import type { Parts } from "../../parts.ts";
import type { Policy } from "../../policy/open-policy.ts";
import { GuardJudge } from "./guard-judge.ts";

export interface OpenGuardJudgeOptions {
  readonly policy: Pick<Policy, "control" | "connections" | "flips">;
  /** Of what was asked before it was made; undefined where nothing is. */
  readonly recent?: Pick<RecentChanges, "over">;
  /** Unix */
  readonly nowMs: () => number;
}

export function openGuardJudge(
  { live }: Pick<Parts, "live">,
  { policy, recent, nowMs }: OpenGuardJudgeOptions,
): GuardJudge {
  const { control, connections, flips } = policy;
  const { configuration, waivers } = flips;
  return new GuardJudge({
    questions: connections?.evidence ?? notRecorded,
    configuration,
    waivers,
    absenceOf: absenceBy(control),
    hasListeners: listenersBy(control),
    anewMs: connections?.evidence.anewMs,
    holds: () => flips.flips.holds,
    namespacesOfProxies: () =>
      Array.from(control.proxies.all(), ({ identity }) => identity.namespace),
    lookBackMs: () => live.config.lookBackSeconds * 1_000,
    recent,
    nowMs,
  });
}
