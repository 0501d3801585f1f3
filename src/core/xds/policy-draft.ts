/** What is known of a proxy on an ADS stream, and how a step of one type changes it. */

import { refusedNames } from "./refused-names.ts";
import type { EndOfStream } from "./request-limits.ts";
import type { ResourceSet } from "./resource-set.ts";
import type { SetSubscriber } from "./set-replies.ts";
import type { SetStep } from "./set-subscriber.ts";
import type { Step, Subscriber } from "./subscriber.ts";
import type { XdsFact, XdsResponse } from "./subscription.ts";

export type PolicyKind = "clusters" | "endpoints" | "listeners";

export interface PolicyResources {
  readonly digest: string;
  readonly clusters: ResourceSet<undefined>;
  readonly endpoints: ResourceSet<undefined>;
  readonly listeners: ResourceSet<undefined>;
}

export interface PolicyStream {
  readonly clusters: SetSubscriber<undefined>;
  readonly endpoints: Subscriber<undefined>;
  readonly listeners: SetSubscriber<undefined>;
  /** What the client is to do; undefined while nobody has said so: it waits. */
  readonly target: PolicyResources | undefined;
  /** Whose listeners may be in use, all or some: the last that were taken, and those that were sent since. Oldest first. */
  readonly inUse: readonly PolicyResources[];
  /** Of the target, once it was acknowledged. */
  readonly ackedDigest: string | undefined;
  readonly refusedDigest: string | undefined;
}

export interface PolicyResponse {
  readonly kind: PolicyKind;
  readonly response: XdsResponse<undefined>;
}

export type PolicyOutcome =
  /** The client does all of it. */
  | { readonly kind: "acked"; readonly digest: string }
  | {
      readonly kind: "nacked";
      readonly digest: string;
      /** The client's own words, at most 1 KiB of UTF-8. */
      readonly detail: string;
      /** Which it may be about. */
      readonly resources: readonly string[];
    };

/** The state while one event is applied to it; it never outlives the event. */
export type Draft = { -readonly [Key in keyof PolicyStream]: PolicyStream[Key] } & {
  readonly before: PolicyStream;
  readonly responses: PolicyResponse[];
  /** Names of endpoints to send, be it that they were sent before. */
  resent: readonly string[];
  /** How many of the responses have had their endpoints sent after them. */
  followed: number;
  outcome: PolicyOutcome | undefined;
};

export function edit(stream: PolicyStream): Draft {
  return { ...stream, before: stream, responses: [], resent: [], followed: 0, outcome: undefined };
}

type AnyStep = Step<undefined> | SetStep<undefined>;

export function take(draft: Draft, kind: PolicyKind, step: AnyStep): EndOfStream | undefined {
  if (step.kind === "end") return step;
  if (kind === "endpoints" && "facts" in step) {
    draft.endpoints = step.subscriber;
    noteEndpointRefusal(draft, step.facts);
  } else if (kind !== "endpoints" && !("facts" in step)) {
    draft[kind] = step.subscriber;
    noteRefusal(draft, kind);
  }
  if (step.response !== undefined) draft.responses.push({ kind, response: step.response });
  return undefined;
}

/** Of several that were refused together each is sent again alone, and then there is no doubt which it was. */
function noteEndpointRefusal(draft: Draft, facts: readonly XdsFact[]): void {
  const { subscriptions, snapshot } = draft.endpoints;
  for (const fact of facts) {
    if (fact.kind !== "nacked") continue;
    const { name, version, detail } = fact;
    const isWanted = snapshot.resources.get(name)?.version === version;
    if (isWanted && subscriptions.get(name)?.refused === version) refuse(draft, detail, [name]);
  }
}

function noteRefusal(draft: Draft, kind: "clusters" | "listeners"): void {
  const { refusal, set } = draft[kind];
  if (refusal === undefined || refusal === draft.before[kind].refusal || set === undefined) return;
  // What was refused of an older policy is answered by the one that follows it.
  if (kind === "listeners" && set.version !== draft.target?.listeners.version) return;
  const { taken } = draft[kind];
  const isNews = (name: string): boolean => taken.get(name) !== set.resources.get(name)?.version;
  refuse(draft, refusal.detail, refusedNames(refusal.detail, set.resources.keys(), isNews));
}

function refuse(draft: Draft, detail: string, resources: readonly string[]): void {
  const { target } = draft;
  if (target === undefined || target.digest === draft.refusedDigest) return;
  draft.refusedDigest = target.digest;
  draft.outcome = { kind: "nacked", digest: target.digest, detail, resources };
}
