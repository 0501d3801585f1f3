/** A verdict on a target as a value for programs: the wire's answer with plain numbers. Times are RFC 3339, empty where there is none. */

import type {
  MtlsTargetPort,
  MtlsVerdict,
  PlaintextCaller,
  SilentProxy,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { nameValue, type NameValue } from "./mtls-status-value.ts";
import { callerWaiverValue, type CallerWaiverValue } from "./mtls-waivers.ts";
import {
  otherValue,
  underWayValue,
  type FlipUnderWayValue,
  type OtherValue,
} from "./mtls-surroundings.ts";
import { timeText } from "./time-text.ts";

export type VerdictValue = {
  readonly target: string;
  /** safe, unsafe, unknown */
  readonly verdict: string;
  readonly now: string;
  /** From when on was looked at. */
  readonly since: string;
  readonly proxies: number;
  readonly mtlsConnections: number;
  /** Of now; they are not among those that have ended. */
  readonly openMtls: number;
  readonly otherConnections: number;
  /** Counted by Envoy, and told by no entry. */
  readonly lost: number;
  /** Of those: they decide nothing. */
  readonly lostMtls: number;
  /** A flip would change nothing: it is about who is refused now. */
  readonly strictAlready: boolean;
  readonly callers: readonly CallerValue[];
  readonly silent: readonly SilentValue[];
  readonly ports: readonly TargetPortValue[];
  /** Of the target, and to have a proxy: nobody refuses plaintext to these. */
  readonly withoutProxy: readonly string[];
  /** Of a namespace: what is no part of it. */
  readonly decidedByOthers: readonly OtherValue[];
  /** Under way: nothing of the target is flipped beside them. */
  readonly flips: readonly FlipUnderWayValue[];
  /** All that count, whoever was seen. */
  readonly waivers: readonly CallerWaiverValue[];
};

export type CallerValue = {
  /** What a waiver names. */
  readonly name: string;
  readonly holder: string;
  readonly addresses: readonly string[];
  readonly kind: string;
  readonly refused: boolean;
  readonly called: readonly string[];
  readonly firstSeen: string;
  readonly lastSeen: string;
  readonly count: number;
  /** What it says of itself. */
  readonly claim: string;
  readonly waived: boolean;
  readonly detail: string;
};

export type SilentValue = {
  /** What a waiver names. */
  readonly name: string;
  readonly reason: string;
  readonly detail: string;
  readonly since: string;
  readonly until: string;
  readonly lost: number;
  readonly waived: boolean;
};

type TargetPortValue = {
  readonly workload: string;
  /** Null for all that have no line of their own. */
  readonly port: number | null;
  readonly mode: string;
  readonly because: NameValue & { readonly rule: string };
};

export function verdictValue(verdict: MtlsVerdict): VerdictValue {
  return {
    target: verdict.target,
    verdict: verdict.verdict,
    now: timeText(verdict.now),
    since: timeText(verdict.since),
    proxies: verdict.proxies,
    mtlsConnections: Number(verdict.mtlsConnections),
    openMtls: Number(verdict.openMtls),
    otherConnections: Number(verdict.otherConnections),
    lost: Number(verdict.lost),
    lostMtls: Number(verdict.lostMtls),
    strictAlready: verdict.strictAlready,
    callers: verdict.callers.map(callerValue),
    silent: verdict.silent.map(silentValue),
    ports: verdict.ports.map(portValue),
    withoutProxy: verdict.withoutProxy,
    decidedByOthers: verdict.decidedByOthers.map(otherValue),
    flips: verdict.flips.map(underWayValue),
    waivers: verdict.waivers.map(callerWaiverValue),
  };
}

export function callerValue(caller: PlaintextCaller): CallerValue {
  const { name, holder, addresses, kind, refused, called, claim, waived, detail } = caller;
  return {
    name,
    holder,
    addresses,
    kind,
    refused,
    called,
    firstSeen: timeText(caller.firstSeen),
    lastSeen: timeText(caller.lastSeen),
    count: Number(caller.count),
    claim,
    waived,
    detail,
  };
}

function silentValue(silent: SilentProxy): SilentValue {
  const { name, reason, detail, since, until, lost, waived } = silent;
  const times = { since: timeText(since), until: timeText(until) };
  return { name, reason, detail, ...times, lost: Number(lost), waived };
}

function portValue({ workload, port, mode, because, rule }: MtlsTargetPort): TargetPortValue {
  const all = port === 0 ? null : port;
  return { workload, port: all, mode, because: { ...nameValue(because), rule } };
}

/** Those that count: who is waived is shown, and no more. */
export function inTheWay({ callers, silent }: Pick<VerdictValue, "callers" | "silent">): {
  readonly callers: readonly CallerValue[];
  readonly silent: readonly SilentValue[];
} {
  return {
    callers: callers.filter(({ waived }) => !waived),
    silent: silent.filter(({ waived }) => !waived),
  };
}
