/**
 * Clusters, endpoints and listeners on one ADS stream, as a value: an event goes in, the next value, responses in their order, and what
 * became of the policy come out. Make before break, as Envoy's xDS protocol document has it ("eventual consistency"); what only older
 * listeners need goes last, once the new ones are taken.
 *
 * A policy that is refused is not sent again: whoever owns the stream gives another one.
 */

import {
  edit,
  take,
  type Draft,
  type PolicyKind,
  type PolicyOutcome,
  type PolicyResources,
  type PolicyResponse,
  type PolicyStream,
} from "./policy-draft.ts";
import { advance, endpointsOf } from "./policy-push.ts";
import { endpointNamesMax, type EndOfStream } from "./request-limits.ts";
import { resourceSet } from "./resource-set.ts";
import {
  forgetRefusal,
  openSetSubscriber,
  receiveSetDelta,
  receiveSetSotw,
} from "./set-subscriber.ts";
import {
  openSubscriber,
  receiveDelta,
  receiveSotw,
  type DeltaRequest,
  type SotwRequest,
} from "./subscriber.ts";
import type { XdsProtocol } from "./subscription.ts";

export type PolicyStep =
  | {
      readonly kind: "continue";
      readonly stream: PolicyStream;
      readonly responses: readonly PolicyResponse[];
      readonly outcome: PolicyOutcome | undefined;
    }
  | EndOfStream;

interface PolicyStreamOptions {
  readonly protocol: XdsProtocol;
  readonly typeUrls: Readonly<Record<PolicyKind, string>>;
  /** Random, different for each stream. */
  readonly noncePrefix: string;
}

export function openPolicyStream(options: PolicyStreamOptions): PolicyStream {
  const { protocol, typeUrls, noncePrefix } = options;
  return {
    clusters: openSetSubscriber({ protocol, noncePrefix, typeUrl: typeUrls.clusters }),
    endpoints: openSubscriber({
      protocol,
      noncePrefix,
      typeUrl: typeUrls.endpoints,
      namesMax: endpointNamesMax,
      snapshot: endpointsOf(resourceSet<undefined>([])),
    }),
    listeners: openSetSubscriber({ protocol, noncePrefix, typeUrl: typeUrls.listeners }),
    target: undefined,
    inUse: [],
    ackedDigest: undefined,
    refusedDigest: undefined,
  };
}

/**
 * One that this client has refused is not taken. Another one is tried whole, also what it has in common with that: the client may
 * have refused it because of the rest.
 */
export function receivePolicy(stream: PolicyStream, policy: PolicyResources): PolicyStep {
  const { digest } = policy;
  const draft = edit(stream);
  if (digest === stream.target?.digest || digest === stream.refusedDigest) {
    return commit(draft, undefined);
  }
  draft.target = policy;
  draft.ackedDigest = undefined;
  draft.clusters = forgetRefusal(stream.clusters);
  draft.listeners = forgetRefusal(stream.listeners);
  const subscriptions = [...stream.endpoints.subscriptions];
  const refused = subscriptions.filter(([, subscription]) => subscription.refused !== undefined);
  draft.resent = refused.map(([name]) => name);
  return commit(draft, undefined);
}

export function receivePolicySotw(
  stream: PolicyStream,
  kind: PolicyKind,
  request: SotwRequest,
  nowMs: number,
): PolicyStep {
  const draft = edit(stream);
  const step =
    kind === "endpoints"
      ? receiveSotw(stream.endpoints, request, nowMs)
      : receiveSetSotw(stream[kind], request);
  return commit(draft, take(draft, kind, step));
}

export function receivePolicyDelta(
  stream: PolicyStream,
  kind: PolicyKind,
  request: DeltaRequest,
  nowMs: number,
): PolicyStep {
  const draft = edit(stream);
  // A cluster that warms anew waits for endpoints whose version it has.
  const anew = { ...request, initialVersions: new Map<string, string>() };
  const step =
    kind === "endpoints"
      ? receiveDelta(stream.endpoints, anew, nowMs)
      : receiveSetDelta(stream[kind], request);
  return commit(draft, take(draft, kind, step));
}

function commit(draft: Draft, end: EndOfStream | undefined): PolicyStep {
  if (end !== undefined) return end;
  const { target } = draft;
  if (target !== undefined && target.digest !== draft.refusedDigest) advance(draft, target);
  const { before: _before, resent: _resent, followed: _followed, ...rest } = draft;
  const { responses, outcome, ...stream } = rest;
  return { kind: "continue", stream, responses, outcome };
}
