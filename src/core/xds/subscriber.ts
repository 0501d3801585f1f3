/**
 * The server's side of one xDS stream for one resource type, as a value: an event goes in, the next
 * value and at most one response come out. Both variants of the protocol, state of the world and
 * delta (Envoy's xDS protocol document). It sends nothing itself and knows no clock; it must never
 * claim evidence that the client did not give.
 */

import type { Labels } from "../resources/resource.ts";
import {
  refuseNames,
  refuseType,
  secretNamesMax,
  tooManyNames,
  type EndOfStream,
} from "./request-limits.ts";
import type { Snapshot } from "./resource.ts";
import {
  currentEvidence,
  flush,
  lastNonce,
  settle,
  subscribe,
  type Draft,
  type Subscription,
  type Unanswered,
  type XdsFact,
  type XdsProtocol,
  type XdsResponse,
} from "./subscription.ts";

export interface Subscriber<E> {
  readonly protocol: XdsProtocol;
  readonly typeUrl: string;
  readonly namesMax: number;
  readonly noncePrefix: string;
  /** Undefined until a request has carried one; only the first request must. */
  readonly node: XdsNode | undefined;
  readonly snapshot: Snapshot<E>;
  readonly subscriptions: ReadonlyMap<string, Subscription<E>>;
  /** Responses without a reply, oldest first; bounded. */
  readonly unanswered: readonly Unanswered<E>[];
  readonly responseCount: number;
}

export interface XdsNode {
  readonly id: string;
  readonly cluster: string;
  /** Claimed. */
  readonly labels?: Labels;
}

export interface SubscriberOptions<E> {
  readonly protocol: XdsProtocol;
  readonly typeUrl: string;
  /** @default that of secrets */
  readonly namesMax?: number;
  /**
   * Random, different for each stream: a client may bring a nonce of its previous stream along,
   * which must not pass for an ACK on this one.
   */
  readonly noncePrefix: string;
  readonly snapshot: Snapshot<E>;
}

export interface SotwRequest {
  readonly typeUrl: string;
  readonly node: XdsNode | undefined;
  readonly versionInfo: string;
  readonly responseNonce: string;
  /** The message of a NACK; undefined otherwise. */
  readonly error: string | undefined;
  readonly resourceNames: readonly string[];
}

export interface DeltaRequest {
  readonly typeUrl: string;
  readonly node: XdsNode | undefined;
  readonly responseNonce: string;
  /** The message of a NACK; undefined otherwise. */
  readonly error: string | undefined;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** By resource name: what the client still holds from a previous stream. */
  readonly initialVersions: ReadonlyMap<string, string>;
}

export type Step<E> =
  | {
      readonly kind: "continue";
      readonly subscriber: Subscriber<E>;
      readonly response: XdsResponse<E> | undefined;
      readonly facts: readonly XdsFact[];
    }
  | EndOfStream;

export function openSubscriber<E>(options: SubscriberOptions<E>): Subscriber<E> {
  return {
    namesMax: secretNamesMax,
    ...options,
    node: undefined,
    subscriptions: new Map(),
    unanswered: [],
    responseCount: 0,
  };
}

/**
 * The list of names replaces the previous one. An empty list subscribes to nothing, also in a first
 * request: secrets are asked for by name, and "everything" (SPIRE's reading) would hand a key to
 * whoever drops its last subscription.
 */
export function receiveSotw<E>(
  subscriber: Subscriber<E>,
  request: SotwRequest,
  nowMs: number,
): Step<E> {
  const names = new Set(request.resourceNames);
  const { typeUrl, namesMax } = subscriber;
  const end = refuseType(typeUrl, request.typeUrl) ?? refuseNames(names, namesMax);
  if (end !== undefined) return end;
  const draft = edit(subscriber);
  const { responseNonce: nonce, versionInfo, error } = request;
  settle(draft, { nonce, versionInfo, error }, nowMs);
  // The requests of a stream arrive in order, so this list is the client's wish whatever nonce it
  // comes with.
  for (const name of draft.subscriptions.keys()) {
    if (!names.has(name)) draft.subscriptions.delete(name);
  }
  subscribe(
    draft,
    [...names].filter((name) => !draft.subscriptions.has(name)),
  );
  // Before the first response any nonce belongs to a stream that is gone. After it, a request that
  // has not seen the newest response is not answered: the client's reply to that one is still to
  // come.
  const newest = lastNonce(subscriber);
  const isStale = newest !== undefined && nonce !== newest;
  if (isStale) reportUnknownNonce(subscriber, draft, nonce);
  return commit(subscriber, draft, isStale ? undefined : flush(draft), request.node);
}

/**
 * Names are added and taken away. A name that is subscribed again is sent again, unless the request
 * says that the client holds the current version: that is as good a proof as an ACK, since a client
 * remembers the version of a resource only once it has accepted it.
 */
export function receiveDelta<E>(
  subscriber: Subscriber<E>,
  request: DeltaRequest,
  nowMs: number,
): Step<E> {
  const names = new Set(request.subscribe);
  const { typeUrl, namesMax } = subscriber;
  const end = refuseType(typeUrl, request.typeUrl) ?? refuseNames(names, namesMax);
  if (end !== undefined) return end;
  const draft = edit(subscriber);
  const { responseNonce: nonce, error } = request;
  settle(draft, { nonce, versionInfo: undefined, error }, nowMs);
  reportUnknownNonce(subscriber, draft, nonce);
  for (const name of request.unsubscribe) draft.subscriptions.delete(name);
  subscribe(draft, [...names]);
  for (const name of names) {
    const version = request.initialVersions.get(name);
    if (version !== undefined) resume(draft, name, version, nowMs);
  }
  const { size } = draft.subscriptions;
  if (size > namesMax) return tooManyNames(size, namesMax);
  return commit(subscriber, draft, flush(draft), request.node);
}

/** @param anew names to send again where they are subscribed to, be it that their content is the same */
export function receiveSnapshot<E>(
  subscriber: Subscriber<E>,
  snapshot: Snapshot<E>,
  anew: readonly string[] = [],
): Step<E> {
  const draft = edit({ ...subscriber, snapshot });
  for (const [name, subscription] of draft.subscriptions) {
    if (subscription.acked === undefined) continue;
    const evidence = currentEvidence(draft, subscription.acked, name);
    const acked = { ...subscription.acked, evidence };
    draft.subscriptions.set(name, { ...withoutOldRefusal(subscription, snapshot, name), acked });
  }
  for (const name of anew) {
    const { sent: _sent, refused: _refused, ...rest } = draft.subscriptions.get(name) ?? {};
    if (draft.subscriptions.has(name)) draft.subscriptions.set(name, rest);
  }
  return commit(subscriber, draft, flush(draft), undefined);
}

/** What was refused alone is sent once more, but for what is restored: what stood beside it may have been the reason. */
export function receiveRetry<E>(subscriber: Subscriber<E>): Step<E> {
  const draft = edit(subscriber);
  const { resources, restored } = subscriber.snapshot;
  for (const [name, { sent: _, refused, ...rest }] of draft.subscriptions) {
    if (refused === undefined || refused !== resources.get(name)?.version) continue;
    if (restored?.has(name) !== true) draft.subscriptions.set(name, rest);
  }
  return commit(subscriber, draft, flush(draft), undefined);
}

/** The content is again what the client has taken since: there is nothing left that it refuses. */
function withoutOldRefusal<E>(
  subscription: Subscription<E>,
  { resources }: Snapshot<E>,
  name: string,
): Subscription<E> {
  const { nack: _nack, refused, ...rest } = subscription;
  const version = resources.get(name)?.version;
  const isHeld = version === rest.sent?.version && version === rest.acked?.version;
  return refused !== undefined && refused !== version && isHeld ? rest : subscription;
}

function edit<E>(subscriber: Subscriber<E>): Draft<E> {
  const { protocol, noncePrefix, snapshot, subscriptions, unanswered, responseCount } = subscriber;
  return {
    protocol,
    noncePrefix,
    snapshot,
    subscriptions: new Map(subscriptions),
    facts: [],
    unanswered,
    responseCount,
  };
}

function commit<E>(
  subscriber: Subscriber<E>,
  draft: Draft<E>,
  response: XdsResponse<E> | undefined,
  node: XdsNode | undefined,
): Step<E> {
  const { snapshot, subscriptions, unanswered, responseCount, facts } = draft;
  return {
    kind: "continue",
    subscriber: {
      ...subscriber,
      // The first node stays: evidence must not move to another proxy in the middle of a stream.
      node: subscriber.node ?? node,
      snapshot,
      subscriptions,
      unanswered,
      responseCount,
    },
    response,
    facts,
  };
}

/** Takes a version that the client kept over a reconnect, if it is the current one. */
function resume<E>(draft: Draft<E>, name: string, version: string, nowMs: number): void {
  const resource = draft.snapshot.resources.get(name);
  if (resource?.version !== version) return;
  draft.subscriptions.set(name, {
    sent: { version, nonce: "" },
    acked: { version, evidence: resource.evidence, atMs: nowMs, source: "initial-version" },
    ...(draft.snapshot.restored?.has(name) === true && { good: resource }),
  });
}

function reportUnknownNonce<E>(subscriber: Subscriber<E>, draft: Draft<E>, nonce: string): void {
  if (nonce === "" || nonce === lastNonce(subscriber)) return;
  if (subscriber.unanswered.some((response) => response.nonce === nonce)) return;
  draft.facts.push({ kind: "unknown-nonce", nonce: nonce.slice(0, 64) });
}
