/** Answers of `root status` as values, by the states of their authorities. */

import type { LaggardValue } from "../../src/app/cli/laggard-value.ts";
import type {
  RootAuthorityValue,
  RootStatusValue,
  RootStepValue,
} from "../../src/app/cli/root-value.ts";

const statusNow = "2026-11-29T12:00:00Z";

export function authorityValue(
  id: string,
  state: string,
  changes: Partial<RootAuthorityValue> = {},
): RootAuthorityValue {
  return {
    id,
    state,
    since: "2026-11-28T12:00:00Z",
    keyType: "p256",
    keyLocation: state === "retired" ? "" : "store",
    rootSubject: "O=cluster.local",
    rootSha256: "ab".repeat(32),
    notBefore: "2026-01-01T00:00:00Z",
    notAfter: "2036-01-01T00:00:00Z",
    lifeLeftPercent: 91,
    compromised: false,
    ...changes,
  };
}

export function laggard(name: string, changes: Partial<LaggardValue> = {}): LaggardValue {
  return {
    kind: name.split("/")[0] ?? "",
    name,
    identity: "",
    reason: "not-connected",
    detail: "away since 2026-11-29T11:00:00Z",
    endsAt: "2026-11-29T15:00:00Z",
    ...changes,
  };
}

export function stepValue(command: string, reason = ""): RootStepValue {
  const allowed = reason === "";
  return {
    command,
    allowed,
    reason,
    detail: allowed ? "" : `expected it otherwise (${command})`,
    next: allowed ? [] : [{ command: "portcullis root status", why: "" }],
    opensAt: "",
  };
}

/** Nobody lags, and what the shape allows is allowed. */
export function statusOf(
  authorities: readonly RootAuthorityValue[],
  changes: Partial<RootStatusValue> = {},
): RootStatusValue {
  const has = (wanted: string): boolean => authorities.some(({ state }) => state === wanted);
  const isOn = has("prepared") || has("retiring");
  return {
    now: statusNow,
    trustDomain: "cluster.local",
    epoch: 4,
    bundleSequence: 7,
    authorities,
    steps: [
      stepValue("prepare", isOn ? "rotation-in-progress" : ""),
      stepValue("activate", has("prepared") ? "" : "nothing-prepared"),
      stepValue("rollback", has("retiring") ? "" : "nothing-to-roll-back"),
      stepValue("retire", has("retiring") ? "" : "nothing-to-retire"),
      stepValue("abort", has("prepared") ? "" : "nothing-prepared"),
    ],
    verifiers: { total: 3, confirmed: 3, weak: 0, waived: 0, ackOnly: 0, lagging: 0, laggards: [] },
    holders: [],
    reissue: { left: 0, perSecond: 100 },
    waivers: [],
    maxTtlSeconds: 86_400,
    skewMs: 500,
    automatic: "",
    reloadRefusals: [],
    ...changes,
  };
}

/** `statusOf` with a gate closed. */
export function closedBy(
  status: RootStatusValue,
  command: "activate" | "retire",
  opensAt = "2026-11-29T15:00:00Z",
): RootStatusValue {
  const reason = command === "activate" ? "verifiers-lagging" : "holders-left";
  const closed = { ...stepValue(command, reason), opensAt };
  return {
    ...status,
    steps: status.steps.map((step) => (step.command === command ? closed : step)),
  };
}
