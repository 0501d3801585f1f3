/**
 * xDS clients that follow the protocol's rules and share no code with the server. Content whose
 * version starts with "bad" is refused; a response is applied as a whole or not at all.
 */

import {
  receiveDelta,
  receiveSotw,
  type DeltaRequest,
  type SotwRequest,
  type Step,
  type Subscriber,
} from "../../src/core/xds/subscriber.ts";
import type { XdsResponse } from "../../src/core/xds/subscription.ts";

export interface ModelClient {
  readonly wanted: ReadonlySet<string>;
  /** By name, the version in use. */
  readonly held: ReadonlyMap<string, string>;
  /** Every "name version" that was ever taken. */
  readonly accepted: ReadonlySet<string>;
  readonly hasRequests: boolean;
  want(names: readonly string[]): void;
  reconnect(): void;
  receive(response: XdsResponse<string>): void;
  /** Sends what `receive` owes the server. */
  reply(): void;
  /** Hands the oldest request under way to the server. */
  takeRequest(subscriber: Subscriber<string>, nowMs: number): Step<string> | undefined;
}

abstract class Client<Request> implements ModelClient {
  readonly held: Map<string, string> = new Map<string, string>();
  readonly accepted: Set<string> = new Set<string>();
  wanted: Set<string> = new Set<string>();
  protected requests: Request[] = [];

  get hasRequests(): boolean {
    return this.requests.length > 0;
  }

  abstract want(names: readonly string[]): void;
  abstract reconnect(): void;
  abstract receive(response: XdsResponse<string>): void;
  abstract reply(): void;
  abstract takeRequest(subscriber: Subscriber<string>, nowMs: number): Step<string> | undefined;

  protected choose(names: readonly string[]): void {
    this.wanted = new Set(names);
    for (const name of this.held.keys()) if (!this.wanted.has(name)) this.held.delete(name);
  }

  /** Resources that nobody asked for are dropped before they are looked at. */
  protected apply(response: XdsResponse<string>): boolean {
    const mine = response.resources.filter(({ name }) => this.wanted.has(name));
    if (mine.some(({ version }) => version.startsWith("bad"))) return false;
    for (const { name, version } of mine) {
      this.held.set(name, version);
      this.accepted.add(`${name} ${version}`);
    }
    for (const name of response.removed) this.held.delete(name);
    return true;
  }
}

/**
 * As Envoy's ADS mux: one state, sent as it is whenever there is reason to; replies may be skipped.
 */
export class SotwClient extends Client<SotwRequest> {
  #versionInfo = "";
  #nonce = "";
  #error: string | undefined;
  #owesReply = false;

  want(names: readonly string[]): void {
    this.choose(names);
    this.#send();
  }

  reconnect(): void {
    this.requests = [];
    this.#error = undefined;
    this.#owesReply = false;
    // The nonce is kept on purpose: some clients do.
    this.#send();
  }

  receive(response: XdsResponse<string>): void {
    this.#nonce = response.nonce;
    this.#owesReply = true;
    const isGood = this.apply(response);
    if (isGood) this.#versionInfo = response.versionInfo;
    this.#error = isGood ? undefined : "refused";
  }

  reply(): void {
    if (this.#owesReply) this.#send();
  }

  takeRequest(subscriber: Subscriber<string>, nowMs: number): Step<string> | undefined {
    const request = this.requests.shift();
    return request && receiveSotw(subscriber, request, nowMs);
  }

  #send(): void {
    this.requests.push({
      typeUrl: "",
      node: undefined,
      versionInfo: this.#versionInfo,
      responseNonce: this.#nonce,
      error: this.#error,
      resourceNames: [...this.wanted],
    });
    this.#error = undefined;
    this.#owesReply = false;
  }
}

/**
 * As Envoy's delta mux: every response is answered by its nonce, in order; subscriptions travel as
 * differences.
 */
export class DeltaClient extends Client<DeltaRequest> {
  #replies: { readonly responseNonce: string; readonly error: string | undefined }[] = [];

  want(names: readonly string[]): void {
    const before = this.wanted;
    this.choose(names);
    this.#send({
      subscribe: [...this.wanted.difference(before)],
      unsubscribe: [...before.difference(this.wanted)],
    });
  }

  reconnect(): void {
    this.requests = [];
    this.#replies = [];
    this.#send({ subscribe: [...this.wanted], initialVersions: new Map(this.held) });
  }

  receive(response: XdsResponse<string>): void {
    const error = this.apply(response) ? undefined : "refused";
    this.#replies.push({ responseNonce: response.nonce, error });
  }

  reply(): void {
    for (const reply of this.#replies) this.#send(reply);
    this.#replies = [];
  }

  takeRequest(subscriber: Subscriber<string>, nowMs: number): Step<string> | undefined {
    const request = this.requests.shift();
    return request && receiveDelta(subscriber, request, nowMs);
  }

  #send(request: Partial<DeltaRequest>): void {
    this.requests.push({
      typeUrl: "",
      node: undefined,
      responseNonce: "",
      error: undefined,
      subscribe: [],
      unsubscribe: [],
      initialVersions: new Map(),
      ...request,
    });
  }
}
