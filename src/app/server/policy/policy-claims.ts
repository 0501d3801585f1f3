/**
 * What a proxy may be doing, by its agent's word: policies come as digests where this stream has said them or sent them, so what was
 * said before and what was sent is remembered with it.
 */

import type { AppliedPolicy, ReportedPolicy } from "../../../core/policy/policy-report.ts";
import type { ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import type { Applied } from "../../../core/policy/rollout-proxy.ts";
import { parsePolicy } from "../../../edge/rpc/policy-messages.ts";
import { digestOfPolicy, knowPolicyAs } from "./encoded-policies.ts";

export interface PolicyClaims {
  /** What it says that it has acknowledged, sure or not; undefined where nobody here knows it. */
  readonly claimed: Applied;
  /** Undefined where it may be doing what nobody here knows. */
  readonly applied: Applied;
  readonly refused: ProxyPolicy | undefined;
  /** Refused since it has acknowledged anything. */
  readonly partial: readonly ProxyPolicy[];
  /** More than are kept: until it has acknowledged something it may be doing what nobody here knows. */
  readonly hasForgotten: boolean;
  /** Sent on this stream before the proxy had gone and come: they may yet arrive, and need not. */
  readonly strays: readonly ProxyPolicy[];
  /** Sent on this stream, and not answered. */
  readonly sent: ProxyPolicy | undefined;
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

/** As many as an agent keeps. */
const partialMax = 8;

/**
 * @param before on another stream, if this is its first report on this one
 * @throws MeshMessageError for a policy that is none
 */
export function claimsAfter(
  before: PolicyClaims,
  said: ReportedPolicy,
  { desired, isNew }: { readonly desired: ProxyPolicy | undefined; readonly isNew: boolean },
): PolicyClaims {
  const { sent, partial, strays } = before;
  const known = [sent, before.claimed, before.refused, ...partial, ...strays, desired];
  const claimed: Applied = said.applied === undefined ? "nothing" : policyOf(known, said.applied);
  const found = said.nack && policyOf([...known, claimed], said.nack);
  const isPartial = said.nack?.isPartial === true;
  const isUnknown = said.isUnsure || (isPartial && found === undefined);
  // It has refused something, and that is enough to know of one that waits for another policy.
  const hasRefused = said.nack !== undefined && isUnknown && typeof claimed === "object";
  const refused = found ?? (hasRefused ? claimed : undefined);
  const applied = isUnknown ? undefined : claimed;
  const rest = { claimed, applied, refused, hasForgotten: false };
  const own = isPartial && refused !== undefined ? [refused] : [];
  if (isNew) return { ...rest, partial: own, strays: [], sent: undefined };
  if (typeof applied === "object" && (applied === sent || strays.includes(applied))) {
    const left = applied === sent ? [] : strays.slice(strays.indexOf(applied) + 1);
    return { ...rest, partial: own, strays: left, sent: applied === sent ? undefined : sent };
  }
  const isAnswered = refused !== undefined && refused === sent;
  // They have arrived before what was refused, unless the agent had refused that before: then nobody has been given it now.
  const arrived = isAnswered && isPartial ? strays : [];
  const all = isPartial ? [...new Set([...partial, ...arrived, ...own])] : [];
  const hasForgotten = isPartial && (before.hasForgotten || all.length > partialMax);
  return {
    ...rest,
    applied: hasForgotten ? undefined : applied,
    partial: all.slice(-partialMax),
    hasForgotten,
    strays: arrived.length > 0 ? [] : strays,
    sent: isAnswered ? undefined : sent,
  };
}

/** It has gone: what was sent to it is lost, or arrives when it is back. */
export function claimsWithoutProxy(claims: PolicyClaims): PolicyClaims {
  const { sent, strays } = claims;
  if (sent === undefined) return claims;
  const digest = digestOfPolicy(sent);
  const others = strays.filter((each) => digestOfPolicy(each) !== digest);
  return { ...claims, sent: undefined, strays: [...others, sent] };
}

function policyOf(
  known: readonly Applied[],
  { digest, octets }: AppliedPolicy,
): ProxyPolicy | undefined {
  for (const each of known) {
    if (typeof each === "object" && digestOfPolicy(each) === digest) return each;
  }
  if (octets === undefined) return undefined;
  const policy = parsePolicy(octets);
  knowPolicyAs(policy, digest);
  return policy;
}
