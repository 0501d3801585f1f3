/**
 * What a proxy may be doing, by its agent's word: policies come as digests where this stream has said them or sent them, so what was
 * said before and what was sent is remembered with it.
 */

import type { AppliedPolicy, ReportedPolicy } from "../../../core/policy/policy-report.ts";
import type { ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import type { Applied } from "../../../core/policy/rollout-proxy.ts";
import { parsePolicy } from "../../../edge/rpc/policy-messages.ts";
import { digestOfPolicy, knowPolicyAs, octetsTold } from "./encoded-policies.ts";

export interface SentPolicy {
  readonly policy: ProxyPolicy;
  /** Which of the assignments on its stream it was, to whomever: from 1 on. */
  readonly at: number;
}

export interface PolicyClaims {
  /** What it says that it has acknowledged, sure or not; undefined where nobody here knows it. */
  readonly claimed: Applied;
  /** Undefined where it may be doing what nobody here knows. */
  readonly applied: Applied;
  readonly refused: ProxyPolicy | undefined;
  /** Refused since it has acknowledged anything. */
  readonly partial: readonly ProxyPolicy[];
  /** More than are kept of these, or of `strays`: until it has acknowledged something it may be doing what nobody here knows. */
  readonly hasForgotten: boolean;
  /** Sent on this stream before the proxy had gone and come: they may yet arrive, and need not. The oldest first. */
  readonly strays: readonly SentPolicy[];
  /** Sent on this stream, and not answered. */
  readonly sent: SentPolicy | undefined;
}

export const noClaims: PolicyClaims = {
  claimed: undefined,
  applied: undefined,
  refused: undefined,
  partial: [],
  hasForgotten: false,
  strays: [],
  sent: undefined,
};

export interface ClaimsContext {
  /** By the configuration. */
  readonly desired: ProxyPolicy | undefined;
  /** Its first report on this stream. */
  readonly isNew: boolean;
  /** There is room for so many of policies that are not known here. */
  readonly octetsMax: number;
}

/** As many as an agent keeps. */
const keptMax = 8;

/**
 * @param before on another stream, if this is its first report on this one
 * @throws MeshMessageError for a policy that is none
 */
export function claimsAfter(
  before: PolicyClaims,
  said: ReportedPolicy,
  { desired, isNew, octetsMax }: ClaimsContext,
): PolicyClaims {
  const { sent, partial, strays } = before;
  const onWay = strays.map(({ policy }) => policy);
  const known = [sent?.policy, before.claimed, before.refused, ...partial, ...onWay, desired];
  const claimed: Applied =
    said.applied === undefined ? "nothing" : policyOf(known, said.applied, octetsMax);
  const octetsLeft = known.includes(claimed) ? octetsMax : octetsMax - octetsOf(claimed);
  const found = said.nack && policyOf([...known, claimed], said.nack, octetsLeft);
  const isPartial = said.nack?.isPartial === true;
  const isUnknown = said.isUnsure || (isPartial && found === undefined);
  // It has refused something, and that is enough to know of one that waits for another policy.
  const hasRefused = said.nack !== undefined && isUnknown && typeof claimed === "object";
  const refused = found ?? (hasRefused ? claimed : undefined);
  const applied = isUnknown ? undefined : claimed;
  const rest = { claimed, applied, refused, hasForgotten: false };
  const own = isPartial && refused !== undefined ? [refused] : [];
  if (isNew) return { ...rest, partial: own, strays: [], sent: undefined };
  // It may have said the same before it was sent: then that is on its way, and may be given to an Envoy that begins anew.
  const isCounted = sent !== undefined && sent.at <= said.assignmentsAnswered;
  const isAnswered = isCounted && [applied, refused].includes(sent.policy);
  const [left, arrived] = splitAt(strays, said.assignmentsAnswered);
  const all = isPartial ? [...new Set([...partial, ...arrived, ...own])] : [];
  // Those that are not kept any more were sent before those that are.
  const isOnWay = left.length > 0 && arrived.length === 0;
  const isStill = before.hasForgotten && (isPartial || isOnWay);
  const hasForgotten = isStill || all.length > keptMax;
  return {
    ...rest,
    applied: hasForgotten ? undefined : applied,
    partial: all.slice(-keptMax),
    hasForgotten,
    strays: left,
    sent: isAnswered ? undefined : sent,
  };
}

/** It has gone: what was sent to it is lost, or arrives when it is back. */
export function claimsWithoutProxy(claims: PolicyClaims): PolicyClaims {
  const { sent, strays } = claims;
  if (sent === undefined) return claims;
  const digest = digestOfPolicy(sent.policy);
  const all = [...strays.filter(({ policy }) => digestOfPolicy(policy) !== digest), sent];
  const hasForgotten = claims.hasForgotten || all.length > keptMax;
  return { ...claims, sent: undefined, strays: all.slice(-keptMax), hasForgotten };
}

/** The same, with what it is to do in the place of an equal one that its agent has told. */
export function claimsSharing(
  claims: PolicyClaims,
  desired: ProxyPolicy | undefined,
): PolicyClaims {
  const { claimed, applied } = claims;
  if (desired === undefined || typeof claimed !== "object" || octetsTold(claimed) === 0) {
    return claims;
  }
  if (digestOfPolicy(claimed) !== digestOfPolicy(desired)) return claims;
  return { ...claims, claimed: desired, applied: applied === claimed ? desired : applied };
}

/** Of all policies that agents have told, and nobody here has made. */
export function octetsToldOf({ claimed, refused, partial, strays }: PolicyClaims): number {
  const onWay = strays.map(({ policy }) => policy);
  const all = new Set<Applied>([claimed, refused, ...partial, ...onWay]);
  return [...all].reduce((sum, each) => sum + octetsOf(each), 0);
}

function octetsOf(policy: Applied): number {
  return typeof policy === "object" ? octetsTold(policy) : 0;
}

/** @returns those that may yet arrive, and the policies of those that have, or never will */
function splitAt(
  strays: readonly SentPolicy[],
  assignmentsAnswered: number,
): [SentPolicy[], ProxyPolicy[]] {
  const left = strays.filter(({ at }) => at > assignmentsAnswered);
  const arrived = strays.filter(({ at }) => at <= assignmentsAnswered);
  return [left, arrived.map(({ policy }) => policy)];
}

function policyOf(
  known: readonly Applied[],
  { digest, octets }: AppliedPolicy,
  octetsMax: number,
): ProxyPolicy | undefined {
  for (const each of known) {
    if (typeof each === "object" && digestOfPolicy(each) === digest) return each;
  }
  if (octets === undefined || octets.length > octetsMax) return undefined;
  const policy = parsePolicy(octets);
  knowPolicyAs(policy, digest, octets.length);
  return policy;
}
