/**
 * What one xDS stream was sent and what it answered, for both protocol variants. One rule decides
 * every response: a subscription is *due* when the version sent last is not the current one, and
 * whatever is due is sent. First requests, new names and new content make a name due; an ACK or a
 * NACK does not, so a refused resource never loops.
 *
 * Evidence is recorded for nothing but a reply to a response that carried the resource: an ACK of a
 * response without it proves nothing.
 */

import { digest, type Snapshot, type VersionedResource } from "./resource.ts";

export type XdsProtocol = "sotw" | "delta";

/** One name that the client has subscribed to. */
export interface Subscription<E> {
  readonly sent?: Sent;
  /**
   * The newest proof; a later refusal leaves it standing, because the client goes on with what it
   * holds.
   */
  readonly acked?: Acked<E>;
  /** The newest refusal that no later ACK has cleared; an ACK of older content that was restored does not. */
  readonly nack?: Nack;
  /** A version that was refused when it travelled alone: it is not sent again. */
  readonly refused?: string;
  /** What was accepted last, where it is to be restored after a refusal. */
  readonly good?: VersionedResource<E>;
}

export interface Sent {
  /** Undefined when the client was told that there is no such resource. */
  readonly version: string | undefined;
  /** Empty when the client held this version before the stream began. */
  readonly nonce: string;
}

export interface Acked<E> {
  readonly version: string;
  readonly evidence: E;
  readonly atMs: number;
  /**
   * A reconnecting delta client names the versions that it holds instead of being sent them again.
   */
  readonly source: "ack" | "initial-version";
}

export interface Nack {
  readonly version: string;
  /** The client's own words, at most 1 KiB of UTF-8. */
  readonly detail: string;
  readonly atMs: number;
}

export interface XdsResponse<E> {
  readonly nonce: string;
  /** A digest of the resources carried; in delta it only informs. */
  readonly versionInfo: string;
  readonly resources: readonly VersionedResource<E>[];
  /** Names that do not exist; always empty in state of the world, which has no way to say so. */
  readonly removed: readonly string[];
}

/** A response whose reply is still to come. */
export interface Unanswered<E> extends XdsResponse<E> {
  /** It carries what was accepted before a refusal, and so proves nothing about what was refused. */
  readonly restores: boolean;
  /** Names that were subscribed anew since: the client may have dropped them before the response came. */
  readonly disowned: ReadonlySet<string>;
}

/** What happened, for metrics and logs. The state to report is in the subscriptions. */
export type XdsFact =
  | { readonly kind: "acked"; readonly name: string; readonly version: string }
  | {
      readonly kind: "nacked";
      readonly name: string;
      readonly version: string;
      readonly detail: string;
    }
  | { readonly kind: "unknown-name"; readonly name: string }
  | { readonly kind: "unknown-nonce"; readonly nonce: string };

export interface Reply {
  readonly nonce: string;
  /** Which version the client says it holds now; undefined in delta, where a nonce says it all. */
  readonly versionInfo: string | undefined;
  /** Defined in a NACK only. */
  readonly error: string | undefined;
}

/** The state of a stream while one event is applied to it; it never outlives the event. */
export interface Draft<E> {
  readonly protocol: XdsProtocol;
  readonly noncePrefix: string;
  readonly snapshot: Snapshot<E>;
  readonly subscriptions: Map<string, Subscription<E>>;
  readonly facts: XdsFact[];
  /** Oldest first. */
  unanswered: readonly Unanswered<E>[];
  responseCount: number;
}

/** A client that does not answer costs this much memory; what is forgotten is sent again. */
const unansweredMax = 8;

/** Undefined before the first response of the stream. */
export function lastNonce(stream: {
  readonly noncePrefix: string;
  readonly responseCount: number;
}): string | undefined {
  return stream.responseCount === 0 ? undefined : `${stream.noncePrefix}${stream.responseCount}`;
}

/** Begins subscriptions, or begins them anew: the names become due, and what was sent before proves nothing about them. */
export function subscribe<E>(draft: Draft<E>, names: readonly string[]): void {
  if (names.length === 0) return;
  draft.unanswered = draft.unanswered.map((response) => {
    return { ...response, disowned: new Set([...response.disowned, ...names]) };
  });
  for (const name of names) {
    const { sent: _sent, refused: _refused, ...rest } = draft.subscriptions.get(name) ?? {};
    draft.subscriptions.set(name, rest);
    if (!draft.snapshot.resources.has(name) && !draft.snapshot.pending.has(name)) {
      draft.facts.push({ kind: "unknown-name", name });
    }
  }
}

/** Takes an ACK or a NACK as evidence about what the response with that nonce carried. */
export function settle<E>(draft: Draft<E>, reply: Reply, nowMs: number): void {
  const index = draft.unanswered.findIndex((response) => response.nonce === reply.nonce);
  const response = draft.unanswered[index];
  if (response === undefined) return;
  const isAck = reply.error === undefined;
  // After a NACK, Envoy repeats the nonce of the refused response, without the error, in its next
  // request.
  if (isAck && (reply.versionInfo ?? response.versionInfo) !== response.versionInfo) return;

  // Envoy may skip replies (its ADS mux pauses a type while clusters warm up). A skipped response
  // may have been accepted or refused, so it proves nothing and is sent again.
  for (const skipped of draft.unanswered.slice(0, index)) {
    markUnsent(draft, skipped);
    doubt(draft, skipped);
  }
  draft.unanswered = draft.unanswered.slice(index + 1);
  if (reply.error === undefined) acknowledge(draft, response, nowMs);
  else refuse(draft, response, reply.error, nowMs);
}

/** Makes the one response that says everything that is due, or nothing. */
export function flush<E>(draft: Draft<E>): XdsResponse<E> | undefined {
  const { resources, removed, restores } = takeDue(draft);
  if (resources.length === 0 && removed.length === 0) return undefined;
  draft.responseCount += 1;
  const nonce = `${draft.noncePrefix}${draft.responseCount}`;
  const response = { nonce, versionInfo: digest(resources), resources, removed };
  for (const { name, version } of resources) update(draft, name, { sent: { version, nonce } });
  for (const name of removed) update(draft, name, { sent: { version: undefined, nonce } });
  draft.unanswered = [...draft.unanswered, { ...response, restores, disowned: new Set() }];
  const [oldest] = draft.unanswered;
  if (oldest !== undefined && draft.unanswered.length > unansweredMax) {
    markUnsent(draft, oldest);
    draft.unanswered = draft.unanswered.slice(1);
  }
  return response;
}

/**
 * Equal content is equal proof: what was acknowledged counts as what the snapshot now says of that
 * version. But not where other content was sent since: the client may hold that one by now.
 */
export function currentEvidence<E>(
  { snapshot, subscriptions, unanswered }: Draft<E>,
  { version, evidence }: { readonly version: string; readonly evidence: E },
  name: string,
): E {
  const current = snapshot.resources.get(name);
  if (current?.version !== version) return evidence;
  const isOther = ({ resources, removed }: Unanswered<E>): boolean =>
    removed.includes(name) ||
    resources.some((each) => each.name === name && each.version !== version);
  const isLast = subscriptions.get(name)?.sent?.version === version && !unanswered.some(isOther);
  return isLast ? current.evidence : evidence;
}

interface Due<E> {
  readonly resources: readonly VersionedResource<E>[];
  readonly removed: readonly string[];
  readonly restores: boolean;
}

function takeDue<E>({ protocol, snapshot, subscriptions }: Draft<E>): Due<E> {
  const good: VersionedResource<E>[] = [];
  const suspect: VersionedResource<E>[] = [];
  const removed: string[] = [];
  for (const [name, subscription] of subscriptions) {
    const { sent, nack, refused, good: accepted } = subscription;
    const resource = snapshot.resources.get(name);
    if (resource !== undefined && refused === resource.version) {
      // Before all else, and alone: until the client has taken it, it may refuse what is good.
      if (accepted !== undefined && sent?.version !== accepted.version) {
        return { resources: [accepted], removed: [], restores: true };
      }
    } else if (resource !== undefined) {
      if (sent?.version !== resource.version) (nack === undefined ? good : suspect).push(resource);
    } else if (protocol === "delta" && !snapshot.pending.has(name)) {
      if (sent === undefined || sent.version !== undefined) removed.push(name);
    }
  }
  // A NACK refuses a whole response. What was refused once travels alone, one by one, so that it
  // can neither take a good resource down with it nor be blamed for a bad one.
  const alone = good.length === 0 && removed.length === 0;
  return { resources: alone ? suspect.slice(0, 1) : good, removed, restores: false };
}

function acknowledge<E>(draft: Draft<E>, response: Unanswered<E>, nowMs: number): void {
  const { snapshot } = draft;
  for (const resource of response.resources) {
    const { name, version } = resource;
    const subscription = draft.subscriptions.get(name);
    if (subscription === undefined || response.disowned.has(name)) continue;
    const { nack, refused, good: _, ...rest } = subscription;
    const evidence = currentEvidence(draft, resource, name);
    const acked = { version, evidence, atMs: nowMs, source: "ack" } as const;
    const isStillRefused = response.restores && refused === snapshot.resources.get(name)?.version;
    draft.subscriptions.set(name, {
      ...rest,
      acked,
      ...(isStillRefused && nack !== undefined && refused !== undefined && { nack, refused }),
      ...(snapshot.restored?.has(name) === true && { good: resource }),
    });
    draft.facts.push({ kind: "acked", name, version });
  }
  for (const name of response.removed) {
    const subscription = draft.subscriptions.get(name);
    if (subscription === undefined || response.disowned.has(name)) continue;
    // Envoy keeps a secret that was removed; other clients need not, so nothing is claimed any more, whatever has been
    // sent since.
    const { acked: _acked, nack: _nack, refused: _refused, good: _good, ...rest } = subscription;
    draft.subscriptions.set(name, rest);
  }
}

function refuse<E>(draft: Draft<E>, response: Unanswered<E>, error: string, nowMs: number): void {
  if (response.restores) return forgetGood(draft, response);
  const detail = cutUtf8(error);
  const isAlone = response.resources.length === 1;
  for (const { name, version } of response.resources) {
    if (!draft.subscriptions.has(name) || response.disowned.has(name)) continue;
    const nack = { version, detail, atMs: nowMs };
    update(draft, name, { nack, ...(isAlone && { refused: version }) });
    draft.facts.push({ kind: "nacked", name, version, detail });
  }
  if (!isAlone) markUnsent(draft, response);
}

/** It is not taken, either: there is nothing more to send until the content changes. */
function forgetGood<E>(draft: Draft<E>, response: Unanswered<E>): void {
  markUnsent(draft, response);
  for (const { name } of response.resources) {
    const { good: _, ...rest } = draft.subscriptions.get(name) ?? {};
    if (draft.subscriptions.has(name)) draft.subscriptions.set(name, rest);
  }
}

/** Makes due what was sent last in this response. */
function markUnsent<E>(draft: Draft<E>, response: XdsResponse<E>): void {
  const names = [...response.resources.map((resource) => resource.name), ...response.removed];
  for (const name of names) {
    const subscription = draft.subscriptions.get(name);
    if (subscription?.sent?.nonce !== response.nonce) continue;
    const { sent: _, ...rest } = subscription;
    draft.subscriptions.set(name, rest);
  }
}

/** The client may hold what this carried, in the place of what it has acknowledged before. */
function doubt<E>(draft: Draft<E>, response: XdsResponse<E>): void {
  const carried = new Map(response.resources.map(({ name, version }) => [name, version]));
  for (const name of [...carried.keys(), ...response.removed]) {
    const { acked, ...rest } = draft.subscriptions.get(name) ?? {};
    if (acked === undefined || acked.version === carried.get(name)) continue;
    draft.subscriptions.set(name, rest);
  }
}

function update<E>(draft: Draft<E>, name: string, change: Subscription<E>): void {
  draft.subscriptions.set(name, { ...draft.subscriptions.get(name), ...change });
}

const detailBytesMax = 1_024;

export function cutUtf8(text: string): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(detailBytesMax));
  return text.slice(0, read);
}
