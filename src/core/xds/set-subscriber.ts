/**
 * The server's side of one xDS stream for a type that is asked for as a whole (listeners, clusters), as a value: an event goes in, the
 * next value and at most one response come out. A client holds a set or it does not; which of its parts an ACK or a NACK was about
 * matters in delta only. State of the world always carries the whole set, because whatever it leaves out is removed.
 *
 * It sends nothing itself and knows no clock; it must never claim that a client holds what it did not acknowledge.
 */

import type { ResourceSet } from "./resource-set.ts";
import { disbelieve, settle, unknown, versionsOf, type SetSubscriber } from "./set-replies.ts";
import type { DeltaRequest, SotwRequest } from "./subscriber.ts";
import type { XdsResponse } from "./subscription.ts";
import { refuseNames, refuseType, type EndOfStream } from "./request-limits.ts";

export type SetStep<E> =
  | {
      readonly kind: "continue";
      readonly subscriber: SetSubscriber<E>;
      readonly response: XdsResponse<E> | undefined;
    }
  | EndOfStream;

/** A client that does not answer costs this much memory. */
const unansweredMax = 8;
const wildcard = "*";
/** What a delta client brings along from another stream. */
const namesMax = 16_384;

export function openSetSubscriber<E>(
  options: Pick<SetSubscriber<E>, "protocol" | "typeUrl" | "noncePrefix">,
): SetSubscriber<E> {
  return {
    ...options,
    isSubscribed: false,
    set: undefined,
    sent: undefined,
    given: new Map(),
    taken: new Map(),
    unanswered: [],
    refusal: undefined,
    responseCount: 0,
  };
}

/** An empty first list of names asks for everything, and so do all that follow it; as does `*`. */
export function receiveSetSotw<E>(subscriber: SetSubscriber<E>, request: SotwRequest): SetStep<E> {
  const names = request.resourceNames;
  const end = refuseType(subscriber.typeUrl, request.typeUrl) ?? refuseParts(names);
  if (end !== undefined) return end;
  const { responseNonce: nonce, versionInfo, error } = request;
  const answered = settle(subscriber, { nonce, versionInfo, error });
  return flush({ ...answered, isSubscribed: true });
}

/**
 * An empty first list of names asks for everything, as does `*`; until that is taken back. What the client says that it holds is sent
 * again nevertheless: of a set that it refused it may have applied a part, which no version tells.
 */
export function receiveSetDelta<E>(
  subscriber: SetSubscriber<E>,
  request: DeltaRequest,
): SetStep<E> {
  const { subscribe, unsubscribe, initialVersions, responseNonce: nonce, error } = request;
  const end =
    refuseType(subscriber.typeUrl, request.typeUrl) ??
    refuseParts(subscribe) ??
    refuseNames(initialVersions, namesMax);
  if (end !== undefined) return end;
  const answered = settle(subscriber, { nonce, versionInfo: undefined, error });
  if (unsubscribe.includes(wildcard)) {
    return { kind: "continue", subscriber: unsubscribed(answered), response: undefined };
  }
  const isFirst = answered.responseCount === 0 && !answered.isSubscribed;
  if (!isFirst && !subscribe.includes(wildcard)) return flush(answered);
  const given = unknown([...answered.given.keys(), ...initialVersions.keys()]);
  return flush({ ...answered, isSubscribed: true, given, sent: undefined });
}

export function receiveSet<E>(subscriber: SetSubscriber<E>, set: ResourceSet<E>): SetStep<E> {
  const { version } = set;
  const refusal = subscriber.refusal?.version === version ? subscriber.refusal : undefined;
  return flush({ ...subscriber, set, refusal });
}

/** What was refused is sent once more, when there is reason to. */
export function forgetRefusal<E>(subscriber: SetSubscriber<E>): SetSubscriber<E> {
  if (subscriber.refusal === undefined) return subscriber;
  return { ...subscriber, refusal: undefined, sent: undefined };
}

/** Whether the client holds all of the set, and nothing else, by its own word. */
export function isTaken<E>(subscriber: SetSubscriber<E>): boolean {
  const { set, sent, taken, unanswered, refusal } = subscriber;
  if (set === undefined || sent?.version !== set.version) return false;
  if (unanswered.length > 0 || refusal !== undefined) return false;
  if (set.resources.size !== taken.size) return false;
  return [...set.resources.values()].every(({ name, version }) => taken.get(name) === version);
}

function unsubscribed<E>(subscriber: SetSubscriber<E>): SetSubscriber<E> {
  const nothing = { sent: undefined, given: new Map(), taken: new Map(), unanswered: [] };
  return { ...subscriber, ...nothing, isSubscribed: false };
}

function flush<E>(subscriber: SetSubscriber<E>): SetStep<E> {
  const { set } = subscriber;
  const due = set && takeDue(subscriber, set);
  if (set === undefined || due === undefined) {
    return { kind: "continue", subscriber, response: undefined };
  }
  const responseCount = subscriber.responseCount + 1;
  const nonce = `${subscriber.noncePrefix}${responseCount}`;
  const response = { nonce, versionInfo: set.version, ...due };
  const sent: SetSubscriber<E> = {
    ...subscriber,
    sent: set,
    given: versionsOf({ resources: [...set.resources.values()] }),
    unanswered: [...subscriber.unanswered, { ...response, set }].slice(-unansweredMax),
    responseCount,
  };
  const [oldest] = subscriber.unanswered;
  const isFull = oldest !== undefined && subscriber.unanswered.length >= unansweredMax;
  const kept = isFull ? disbelieve(sent, oldest, sent.unanswered) : sent;
  return { kind: "continue", subscriber: kept, response };
}

function takeDue<E>(
  { protocol, isSubscribed, refusal, sent, given }: SetSubscriber<E>,
  set: ResourceSet<E>,
): Pick<XdsResponse<E>, "resources" | "removed"> | undefined {
  if (!isSubscribed || refusal?.version === set.version) return undefined;
  const all = [...set.resources.values()];
  if (protocol === "sotw") {
    return sent?.version === set.version ? undefined : { resources: all, removed: [] };
  }
  const resources = all.filter(({ name, version }) => given.get(name) !== version);
  const removed = [...given.keys()].filter((name) => !set.resources.has(name));
  // A client that has nothing yet waits also for an empty set.
  const isNews = sent === undefined || resources.length > 0 || removed.length > 0;
  return isNews ? { resources, removed } : undefined;
}

function refuseParts(names: readonly string[]): EndOfStream | undefined {
  if (names.length === 0 || names.includes(wildcard)) return undefined;
  const message = "expected a subscription to all resources of this type, got one by name";
  return { kind: "end", status: "invalid-argument", message };
}
