/** What `root status` says, as a value for programs: the wire's answer with plain numbers and times. */

import type { Evidence, RootStatus } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { laggardValue, type LaggardValue } from "./laggard-value.ts";
import { nextOf, type NextValue } from "./next-commands.ts";
import { reloadRefusalValue, type ReloadRefusalValue } from "./reload-refusal-value.ts";
import { pasteable, type ServerTarget } from "./server-target.ts";
import { timeText } from "./time-text.ts";
import { waiverValue, type WaiverValue } from "./waiver-value.ts";

/** Commands in texts can be pasted. Times are RFC 3339, empty where there is none. */
export type RootStatusValue = {
  readonly now: string;
  readonly trustDomain: string;
  readonly epoch: number;
  readonly bundleSequence: number;
  readonly authorities: readonly RootAuthorityValue[];
  readonly steps: readonly RootStepValue[];
  readonly verifiers: EvidenceValue;
  readonly holders: readonly HoldersValue[];
  readonly reissue: { readonly left: number; readonly perSecond: number };
  readonly waivers: readonly WaiverValue[];
  readonly maxTtlSeconds: number;
  readonly skewMs: number;
  /** What the server does by itself as gates open; empty for nothing. */
  readonly automatic: string;
  /** Of the operator's CA on disk: an older one runs. */
  readonly reloadRefusals: readonly ReloadRefusalValue[];
};

export type RootAuthorityValue = {
  readonly id: string;
  /** "prepared", "active", "retiring" or "retired". */
  readonly state: string;
  readonly since: string;
  readonly keyType: string;
  readonly keyLocation: string;
  readonly rootSubject: string;
  readonly rootSha256: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly lifeLeftPercent: number;
  readonly compromised: boolean;
};

export type RootStepValue = {
  readonly command: string;
  readonly allowed: boolean;
  readonly reason: string;
  readonly detail: string;
  readonly next: readonly NextValue[];
  readonly opensAt: string;
};

export type EvidenceValue = {
  readonly total: number;
  readonly confirmed: number;
  readonly weak: number;
  readonly waived: number;
  /** Of those confirmed, while an authority is prepared: proxies that no handshake has tried, for want of a listener of ours. */
  readonly ackOnly: number;
  readonly lagging: number;
  /** The first of them. */
  readonly laggards: readonly LaggardValue[];
};

export type HoldersValue = {
  readonly authority: string;
  readonly unexpired: number;
  readonly waived: number;
  readonly lastEndsAt: string;
  /** The first of them. */
  readonly named: readonly LaggardValue[];
};

export function rootStatusValue(status: RootStatus, target: ServerTarget): RootStatusValue {
  return {
    now: timeText(status.now),
    trustDomain: status.trustDomain,
    epoch: Number(status.epoch),
    bundleSequence: Number(status.bundleSequence),
    authorities: status.authorities.map((authority) => ({
      id: authority.id,
      state: authority.state,
      since: timeText(authority.since),
      keyType: authority.keyType,
      keyLocation: authority.keyLocation,
      rootSubject: authority.rootSubject,
      rootSha256: authority.rootSha256,
      notBefore: timeText(authority.notBefore),
      notAfter: timeText(authority.notAfter),
      lifeLeftPercent: authority.lifeLeftPercent,
      compromised: authority.compromised,
    })),
    steps: status.steps.map(({ command, isAllowed, reason, detail, hint, opensAt }) => ({
      command,
      allowed: isAllowed,
      reason,
      detail,
      next: nextOf(target, hint),
      opensAt: timeText(opensAt),
    })),
    verifiers: evidenceValue(status.verifiers),
    holders: status.holders.map(({ authorityId, unexpired, waived, lastEndsAt, named }) => ({
      authority: authorityId,
      unexpired: Number(unexpired),
      waived: Number(waived),
      lastEndsAt: timeText(lastEndsAt),
      named: named.map(laggardValue),
    })),
    reissue: {
      left: Number(status.reissue?.left ?? 0),
      perSecond: status.reissue?.perSecond ?? 0,
    },
    waivers: status.waivers.map(waiverValue),
    maxTtlSeconds: Number(status.maxTtlSeconds),
    skewMs: Number(status.skewMs),
    automatic: pasteable(target, status.automatic),
    reloadRefusals: status.reloadRefusals.map(reloadRefusalValue),
  };
}

function evidenceValue(evidence: Evidence | undefined): EvidenceValue {
  return {
    total: Number(evidence?.total ?? 0),
    confirmed: Number(evidence?.confirmed ?? 0),
    weak: Number(evidence?.weak ?? 0),
    waived: Number(evidence?.waived ?? 0),
    ackOnly: Number(evidence?.ackOnly ?? 0),
    lagging: Number(evidence?.lagging ?? 0),
    laggards: (evidence?.laggards ?? []).map(laggardValue),
  };
}
