/** What a client has said of the sets that it was sent. */

import type { ResourceSet } from "./resource-set.ts";
import { cutUtf8, type XdsProtocol, type XdsResponse } from "./subscription.ts";

export interface SetSubscriber<E> {
  readonly protocol: XdsProtocol;
  readonly typeUrl: string;
  readonly noncePrefix: string;
  readonly isSubscribed: boolean;
  /** What is to be held; while it is undefined, the client waits. */
  readonly set: ResourceSet<E> | undefined;
  /** Undefined before the first response to a subscription. */
  readonly sent: ResourceSet<E> | undefined;
  /** What the client may have, by name, once it has read everything; in delta only. */
  readonly given: Versions;
  /** What the client has acknowledged, by name. */
  readonly taken: Versions;
  /** Responses without a reply, oldest first; bounded. */
  readonly unanswered: readonly Offer<E>[];
  /** That `set` was refused: it is not sent again. */
  readonly refusal: Refusal | undefined;
  readonly responseCount: number;
}

/** By name; a version that is not known is empty, and differs from all. */
type Versions = ReadonlyMap<string, string>;

interface Offer<E> extends XdsResponse<E> {
  /** That the client holds when it has taken this, and all before it. */
  readonly set: ResourceSet<E>;
}

interface Refusal {
  /** Of the set. */
  readonly version: string;
  /** The client's own words, at most 1 KiB of UTF-8. */
  readonly detail: string;
}

interface Reply {
  readonly nonce: string;
  /** Undefined in delta. */
  readonly versionInfo: string | undefined;
  /** In a NACK only. */
  readonly error: string | undefined;
}

export function settle<E>(subscriber: SetSubscriber<E>, reply: Reply): SetSubscriber<E> {
  const index = subscriber.unanswered.findIndex(({ nonce }) => nonce === reply.nonce);
  const offer = subscriber.unanswered[index];
  if (offer === undefined) return subscriber;
  const isAck = reply.error === undefined;
  // After a NACK, Envoy repeats the nonce of the refused response, without the error, in its next request.
  if (isAck && (reply.versionInfo ?? offer.versionInfo) !== offer.versionInfo) return subscriber;
  // A skipped reply proves nothing.
  const skipped = subscriber.unanswered.slice(0, index);
  const unanswered = subscriber.unanswered.slice(index + 1);
  const later = [offer, ...unanswered];
  const rest = skipped.reduce<SetSubscriber<E>>((before, each) => disbelieve(before, each, later), {
    ...subscriber,
    unanswered,
  });
  return reply.error === undefined ? take(rest, offer) : refuse(rest, offer, reply.error);
}

function take<E>(subscriber: SetSubscriber<E>, offer: Offer<E>): SetSubscriber<E> {
  const before = subscriber.protocol === "sotw" ? [] : subscriber.taken;
  const taken = new Map([...before, ...versionsOf(offer)]);
  for (const name of offer.removed) taken.delete(name);
  const isRefused = subscriber.refusal?.version !== offer.set.version;
  return { ...subscriber, taken, refusal: isRefused ? subscriber.refusal : undefined };
}

function refuse<E>(subscriber: SetSubscriber<E>, offer: Offer<E>, error: string): SetSubscriber<E> {
  const rest = disbelieve(subscriber, offer, subscriber.unanswered);
  const { version } = offer.set;
  if (version !== subscriber.set?.version) return rest;
  return { ...rest, refusal: { version, detail: cutUtf8(error) } };
}

/**
 * Envoy applies a part of what it refuses: what it has of that now is not known.
 * @param later responses that say more of some of it
 */
export function disbelieve<E>(
  subscriber: SetSubscriber<E>,
  offer: Offer<E>,
  later: readonly Offer<E>[],
): SetSubscriber<E> {
  if (subscriber.protocol === "sotw") return subscriber;
  const names = namesIn(offer);
  const taken = new Map(subscriber.taken);
  for (const name of names) taken.delete(name);
  const saidLater = new Set(later.flatMap(namesIn));
  const lost = unknown(names.filter((name) => !saidLater.has(name)));
  return { ...subscriber, taken, given: new Map([...subscriber.given, ...lost]) };
}

function namesIn<E>({ resources, removed }: Offer<E>): string[] {
  return [...resources.map(({ name }) => name), ...removed];
}

export function versionsOf<E>({
  resources,
}: Pick<XdsResponse<E>, "resources">): Map<string, string> {
  return new Map(resources.map(({ name, version }) => [name, version]));
}

export function unknown(names: Iterable<string>): Map<string, string> {
  return new Map(Array.from(names, (name) => [name, ""]));
}
