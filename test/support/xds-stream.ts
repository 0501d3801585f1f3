/** A subscriber under test: sends it events, keeps what came out. */

import assert from "node:assert/strict";
import type { Snapshot, VersionedResource } from "../../src/core/xds/resource.ts";
import {
  openSubscriber,
  receiveDelta,
  receiveSnapshot,
  receiveSotw,
  type DeltaRequest,
  type SotwRequest,
  type Step,
  type Subscriber,
} from "../../src/core/xds/subscriber.ts";
import type { XdsFact, XdsProtocol, XdsResponse } from "../../src/core/xds/subscription.ts";

const typeUrl = "type.googleapis.com/test.Secret";
export const evidenceOf = (version: string): string => `evidence of ${version}`;

export class Stream {
  #subscriber: Subscriber<string>;
  #nowMs = 0;
  facts: readonly XdsFact[] = [];

  constructor(protocol: XdsProtocol, snapshot: Snapshot<string>) {
    this.#subscriber = openSubscriber({ protocol, typeUrl, noncePrefix: "p-", snapshot });
  }

  get subscriptions(): Subscriber<string>["subscriptions"] {
    return this.#subscriber.subscriptions;
  }

  get node(): Subscriber<string>["node"] {
    return this.#subscriber.node;
  }

  get unanswered(): number {
    return this.#subscriber.unanswered.length;
  }

  sotw(request: Partial<SotwRequest>): XdsResponse<string> | undefined {
    return this.#continue(this.trySotw(request));
  }

  delta(request: Partial<DeltaRequest>): XdsResponse<string> | undefined {
    return this.#continue(this.tryDelta(request));
  }

  change(snapshot: Snapshot<string>): XdsResponse<string> | undefined {
    return this.#continue(receiveSnapshot(this.#subscriber, snapshot));
  }

  trySotw(request: Partial<SotwRequest>): Step<string> {
    const defaults = { node: undefined, versionInfo: "", responseNonce: "", error: undefined };
    const names = { resourceNames: [...this.subscriptions.keys()] };
    const whole = { typeUrl, ...defaults, ...names, ...request };
    return receiveSotw(this.#subscriber, whole, ++this.#nowMs);
  }

  tryDelta(request: Partial<DeltaRequest>): Step<string> {
    const defaults = { node: undefined, responseNonce: "", error: undefined };
    const names = { subscribe: [], unsubscribe: [], initialVersions: new Map<string, string>() };
    const whole = { typeUrl, ...defaults, ...names, ...request };
    return receiveDelta(this.#subscriber, whole, ++this.#nowMs);
  }

  /** The reply of a client that took the response. */
  ack(response: XdsResponse<string>): XdsResponse<string> | undefined {
    return this.sotw({ responseNonce: response.nonce, versionInfo: response.versionInfo });
  }

  nack(response: XdsResponse<string>, error = "no"): XdsResponse<string> | undefined {
    return this.sotw({ responseNonce: response.nonce, versionInfo: "older", error });
  }

  #continue(step: Step<string>): XdsResponse<string> | undefined {
    assert(step.kind === "continue");
    this.#subscriber = step.subscriber;
    this.facts = step.facts;
    return step.response;
  }
}

export function open(protocol: XdsProtocol, resources: Readonly<Record<string, string>>): Stream {
  return new Stream(protocol, snapshot(resources));
}

export function snapshot(
  resources: Readonly<Record<string, string>>,
  options: { readonly pending?: readonly string[]; readonly evidence?: string } = {},
): Snapshot<string> {
  const entries = Object.entries(resources).map(
    ([name, version]): [string, VersionedResource<string>] => {
      const evidence = options.evidence ?? evidenceOf(version);
      return [name, { name, version, body: new Uint8Array(), evidence }];
    },
  );
  return { resources: new Map(entries), pending: new Set(options.pending) };
}

export function versions(response: XdsResponse<unknown>): Record<string, string> {
  return Object.fromEntries(response.resources.map(({ name, version }) => [name, version]));
}

export function must<T>(value: T | undefined): T {
  assert(value !== undefined);
  return value;
}
