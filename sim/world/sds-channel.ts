/** One workload's SDS streams at its agent, served from one snapshot by the production subscriber machine. */

import type { HeldCertificate, ProxyEvidence } from "../../src/core/roll/evidence.ts";
import { bundleState, hasOtherBundles, wasServed } from "../../src/app/agent/leaf-hold.ts";
import { proxyEvidence } from "../../src/app/agent/proxy-evidence.ts";
import type { SecretStream } from "../../src/app/agent/secret-channel.ts";
import type { Snapshot } from "../../src/core/xds/resource.ts";
import {
  openSubscriber,
  receiveSnapshot,
  receiveSotw,
  type SotwRequest,
  type Step,
} from "../../src/core/xds/subscriber.ts";
import type { XdsResponse } from "../../src/core/xds/subscription.ts";
import type { Envoy } from "./envoy.ts";
import { LeafHolds } from "./leaf-holds.ts";
import type { SdsServer, SdsStream, SimEvidence } from "./sds-stream.ts";
import { nothingYet, withoutLeaf } from "./secrets.ts";

export interface ChannelOwner {
  readonly isServing: boolean;
  readonly nowMs: number;
  readonly agentMs: number;
  /** How long an Envoy waits after its stream was broken. */
  backOffMs(): number;
  nextStreamId(): bigint;
  /** A certificate goes out to an Envoy. */
  sent(channel: SdsChannel, proxyId: string, certificate: HeldCertificate): void;
  evidenceChanged(): void;
}

export class SdsChannel implements SdsServer {
  readonly #owner: ChannelOwner;
  readonly #streams: SdsStream[] = [];
  readonly #holds = new LeafHolds();
  #snapshot: Snapshot<SimEvidence> = nothingYet;
  /** Of the snapshot, for Envoys whose certificate has to wait. */
  #bundles: Snapshot<SimEvidence> = nothingYet;

  constructor(owner: ChannelOwner) {
    this.#owner = owner;
  }

  get isServing(): boolean {
    return this.#owner.isServing;
  }

  mayDial(fromMs: number): boolean {
    return this.#owner.isServing && this.#owner.nowMs >= fromMs;
  }

  open(stream: SdsStream): void {
    stream.id = this.#owner.nextStreamId();
    stream.subscriber = openSubscriber({
      protocol: "sotw",
      typeUrl: "",
      noncePrefix: `${stream.id}-`,
      snapshot: this.#snapshot,
    });
    this.#streams.push(stream);
  }

  receive(stream: SdsStream, request: SotwRequest): void {
    const { subscriber } = stream;
    if (subscriber === undefined) return;
    const { nowMs, agentMs } = this.#owner;
    const { envoy } = stream;
    const isFirst = subscriber.node === undefined;
    if (isFirst && request.versionInfo !== "") this.#holds.begin(envoy, true, nowMs);
    const met = isFirst ? { ...subscriber, snapshot: this.#snapshotFor(envoy) } : subscriber;
    this.#take(stream, receiveSotw(met, request, agentMs));
    this.#look(envoy);
  }

  closed(stream: SdsStream): void {
    stream.backOff(this.#owner.nowMs + this.#owner.backOffMs());
    const index = this.#streams.indexOf(stream);
    if (index >= 0) this.#streams.splice(index, 1);
    if (this.#streams.some(({ envoy }) => envoy === stream.envoy)) this.#holds.closed(stream.envoy);
    else this.#holds.end(stream.envoy);
    this.#owner.evidenceChanged();
  }

  publish(snapshot: Snapshot<SimEvidence>): void {
    const isOtherBundle = hasOtherBundles(snapshot, this.#snapshot);
    this.#snapshot = snapshot;
    this.#bundles = withoutLeaf(snapshot);
    for (const { subscriber, envoy } of isOtherBundle ? this.#streams : []) {
      if (subscriber === undefined || !wasServed(subscriber)) continue;
      this.#holds.begin(envoy, false, this.#owner.nowMs);
    }
    for (const stream of this.#streams) this.#show(stream, this.#snapshotFor(stream.envoy));
    for (const envoy of this.#holds.envoys()) this.#look(envoy);
  }

  /** What has waited for long enough. */
  tick(): void {
    for (const envoy of this.#holds.envoys()) this.#look(envoy);
  }

  evidence(spiffeId: string | undefined): Map<string, ProxyEvidence> {
    return proxyEvidence(this.#streams.filter(isOpen), spiffeId);
  }

  /** The agent is gone, and with it what it knew of them. */
  reset(): void {
    for (const stream of this.#streams) {
      stream.close();
      stream.backOff(this.#owner.nowMs + this.#owner.backOffMs());
    }
    this.#streams.length = 0;
    this.#holds.clear();
    this.#snapshot = nothingYet;
    this.#bundles = nothingYet;
  }

  #snapshotFor(envoy: Envoy): Snapshot<SimEvidence> {
    return this.#holds.has(envoy) ? this.#bundles : this.#snapshot;
  }

  #show(stream: SdsStream, snapshot: Snapshot<SimEvidence>): void {
    const { subscriber } = stream;
    if (subscriber !== undefined) this.#take(stream, receiveSnapshot(subscriber, snapshot));
  }

  /** Whether what was held back may go out. */
  #look(envoy: Envoy): void {
    if (!this.#holds.has(envoy)) return;
    const streams = this.#streams.filter((stream) => stream.envoy === envoy);
    const state = bundleState(
      streams.flatMap(({ subscriber }) => subscriber ?? []),
      this.#snapshot,
    );
    if (!this.#holds.isOver(envoy, state, this.#owner.nowMs)) return;
    this.#holds.end(envoy);
    for (const stream of streams) this.#show(stream, this.#snapshot);
  }

  #send(stream: SdsStream, response: XdsResponse<SimEvidence>): void {
    for (const { evidence } of response.resources) {
      const { certificate } = evidence;
      if (certificate !== undefined) this.#owner.sent(this, stream.envoy.node.id, certificate);
    }
    stream.down.send(response);
  }

  #take(stream: SdsStream, step: Step<SimEvidence>): void {
    if (step.kind === "end") throw new Error(`a stream of SDS was ended: ${step.message}`);
    stream.subscriber = step.subscriber;
    if (step.response !== undefined) this.#send(stream, step.response);
    this.#owner.evidenceChanged();
  }
}

function isOpen(stream: SdsStream): stream is SdsStream & SecretStream {
  return stream.subscriber !== undefined;
}
