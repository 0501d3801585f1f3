/**
 * One workload's SDS streams, and the one snapshot that they are all served from. The subscriber machine decides what is
 * sent; nothing crosses from one channel to another.
 */

import { randomBytes } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { secretTypeUrl, type SecretEvidence } from "../../core/envoy/secret.ts";
import type { HeldCertificate } from "../../core/roll/evidence.ts";
import type { Snapshot } from "../../core/xds/resource.ts";
import {
  openSubscriber,
  receiveDelta,
  receiveRetry,
  receiveSnapshot,
  receiveSotw,
  type DeltaRequest,
  type SotwRequest,
  type Step,
  type Subscriber,
  type XdsNode,
} from "../../core/xds/subscriber.ts";
import type { XdsFact, XdsProtocol, XdsResponse } from "../../core/xds/subscription.ts";
import { bundlesOf, bundleState, hasOtherBundles, LeafHolds, wasServed } from "./leaf-hold.ts";
import { carriesBundle, certificateIn, endOf, hasBundle } from "./secret-response.ts";

export interface ChannelDependencies {
  readonly nowMs: () => number;
  readonly streamsMax: number;
  /** After each change of what is known of a stream; and when it closes. */
  readonly onEvidence: () => void;
  readonly onFact: (stream: SecretStream, fact: XdsFact) => void;
  /** Somebody has taken a trust bundle without a stream, and is not heard of it any more. */
  readonly onBundleFetched: () => void;
  /** A certificate goes out, and may be used from now on. */
  readonly onCertificate?: (stream: SecretStream, certificate: HeldCertificate) => void;
  /** May publish: what has expired must not be sent, whatever timers say. */
  readonly beforeAnswer: () => void;
  /** Why a stream that asks for this name must end; undefined for all others. */
  readonly refuseName?: (stream: SecretStream, name: string) => StreamEnd | undefined;
}

/** With which gRPC status a stream ends. */
export interface StreamEnd {
  readonly code: number;
  readonly details: string;
}

export interface SecretStream {
  readonly id: bigint;
  readonly subscriber: Subscriber<SecretEvidence>;
}

/** How a stream's answers reach its client. */
export interface StreamTransport {
  readonly send: (response: XdsResponse<SecretEvidence>) => void;
  readonly end: (end: StreamEnd) => void;
}

interface OpenStream extends SecretStream {
  subscriber: Subscriber<SecretEvidence>;
  readonly transport: StreamTransport;
}

/** A stream as its transport drives it. */
export interface StreamHandle {
  receiveSotw(request: SotwRequest): void;
  receiveDelta(request: DeltaRequest): void;
  close(): void;
}

/** Ids are told to the server, so they are an agent's, not a channel's. */
let opened = 0n;

export class SecretChannel {
  readonly #dependencies: ChannelDependencies;
  readonly #streams = new Set<OpenStream>();
  readonly #holds = new LeafHolds((nodeId) => this.#release(nodeId));
  #snapshot: Snapshot<SecretEvidence>;
  /** Of the snapshot, for Envoys whose certificate has to wait. */
  #bundles: Snapshot<SecretEvidence>;

  constructor(dependencies: ChannelDependencies, snapshot: Snapshot<SecretEvidence>) {
    this.#dependencies = dependencies;
    this.#snapshot = snapshot;
    this.#bundles = bundlesOf(snapshot);
  }

  get streams(): ReadonlySet<SecretStream> {
    return this.#streams;
  }

  publish(snapshot: Snapshot<SecretEvidence>): void {
    const isOtherBundle = hasOtherBundles(snapshot, this.#snapshot);
    this.#snapshot = snapshot;
    this.#bundles = bundlesOf(snapshot);
    const streams = [...this.#streams];
    for (const { subscriber } of isOtherBundle ? streams : []) {
      if (wasServed(subscriber)) this.#holds.begin(nodeIdOf(subscriber), false);
    }
    const steps = streams.map((stream) => {
      const { subscriber } = stream;
      return { stream, step: receiveSnapshot(subscriber, this.#snapshotFor(nodeIdOf(subscriber))) };
    });
    // Whom to trust goes out before a certificate, also where it does not wait: peers' may be of a new root, too.
    const [bundles, others] = [steps.filter(hasBundle), steps.filter((each) => !hasBundle(each))];
    for (const { stream, step } of [...bundles, ...others]) this.#apply(stream, step);
    for (const { subscriber } of streams) this.#look(nodeIdOf(subscriber));
  }

  end(end: StreamEnd): void {
    for (const stream of this.#streams) stream.transport.end(end);
  }

  /** Ends the stream that is one too many. */
  open(protocol: XdsProtocol, transport: StreamTransport): StreamHandle {
    const subscriber = openSubscriber(this.#options(protocol));
    const stream: OpenStream = { id: ++opened, subscriber, transport };
    if (this.#streams.size >= this.#dependencies.streamsMax) {
      transport.end({ code: status.RESOURCE_EXHAUSTED, details: "too many streams" });
    } else {
      this.#streams.add(stream);
    }
    return {
      receiveSotw: (request) => {
        const nowMs = this.#beforeAnswer();
        this.#meet(stream, request.node, request.versionInfo !== "");
        this.#take(stream, receiveSotw(stream.subscriber, request, nowMs));
      },
      receiveDelta: (request) => {
        const nowMs = this.#beforeAnswer();
        this.#meet(stream, request.node, request.initialVersions.size > 0);
        this.#take(stream, receiveDelta(stream.subscriber, request, nowMs));
      },
      close: () => this.#closed(stream),
    };
  }

  /** One answer without a stream, and so no evidence that anything was accepted. */
  fetch(request: SotwRequest): XdsResponse<SecretEvidence> | StreamEnd {
    const nowMs = this.#beforeAnswer();
    const stream = { id: 0n, subscriber: openSubscriber(this.#options("sotw")) };
    const step = receiveSotw(stream.subscriber, request, nowMs);
    if (step.kind === "end") return endOf(step);
    const refused = this.#refusal({ ...stream, subscriber: step.subscriber });
    if (refused !== undefined) return refused;
    if (step.response !== undefined) {
      if (carriesBundle(step.response)) this.#dependencies.onBundleFetched();
      return step.response;
    }
    return request.resourceNames.some((name) => this.#snapshot.pending.has(name))
      ? { code: status.UNAVAILABLE, details: "the secret is not there yet: try again" }
      : { code: status.NOT_FOUND, details: "no such secret" };
  }

  #beforeAnswer(): number {
    this.#dependencies.beforeAnswer();
    return this.#dependencies.nowMs();
  }

  /** Its first request. @param hasHeld whether it comes back with something, and may go by it */
  #meet(stream: OpenStream, node: XdsNode | undefined, hasHeld: boolean): void {
    if (node === undefined || stream.subscriber.node !== undefined) return;
    const { id } = node;
    if (hasHeld) this.#holds.begin(id, true);
    stream.subscriber = { ...stream.subscriber, node, snapshot: this.#snapshotFor(id) };
  }

  #snapshotFor(nodeId: string): Snapshot<SecretEvidence> {
    return this.#holds.has(nodeId) ? this.#bundles : this.#snapshot;
  }

  #take(stream: OpenStream, step: Step<SecretEvidence>): void {
    this.#apply(stream, step);
    this.#look(nodeIdOf(stream.subscriber));
  }

  #apply(stream: OpenStream, step: Step<SecretEvidence>): void {
    if (!this.#streams.has(stream)) return;
    if (step.kind === "end") return stream.transport.end(endOf(step));
    const before = stream.subscriber;
    stream.subscriber = step.subscriber;
    const refused = this.#refusal(stream);
    if (refused !== undefined) return stream.transport.end(refused);
    if (step.response !== undefined) this.#send(stream, step.response);
    for (const fact of step.facts) this.#dependencies.onFact(stream, fact);
    this.#dependencies.onEvidence();
    if (step.facts.some((fact) => this.#hasRecovered(before, fact))) {
      this.#retry(nodeIdOf(stream.subscriber));
    }
  }

  #send(stream: OpenStream, response: XdsResponse<SecretEvidence>): void {
    const certificate = certificateIn(response);
    if (certificate !== undefined) this.#dependencies.onCertificate?.(stream, certificate);
    stream.transport.send(response);
  }

  #closed(stream: OpenStream): void {
    if (!this.#streams.delete(stream)) return;
    const nodeId = nodeIdOf(stream.subscriber);
    if (this.#streamsOf(nodeId).length === 0) this.#holds.end(nodeId);
    else this.#holds.closed(nodeId);
    this.#dependencies.onEvidence();
  }

  /** Whether what was held back may go out. */
  #look(nodeId: string): void {
    if (!this.#holds.has(nodeId)) return;
    const subscribers = this.#streamsOf(nodeId).map(({ subscriber }) => subscriber);
    const state = bundleState(subscribers, this.#snapshot);
    if (this.#holds.isOver(nodeId, state)) this.#release(nodeId);
  }

  #release(nodeId: string): void {
    this.#dependencies.beforeAnswer();
    const retries = this.#holds.end(nodeId);
    for (const stream of this.#streamsOf(nodeId)) {
      this.#take(stream, receiveSnapshot(stream.subscriber, this.#snapshot));
    }
    if (retries) this.#retry(nodeId);
  }

  /** A trust bundle is accepted after a refusal. */
  #hasRecovered({ subscriptions }: Subscriber<SecretEvidence>, fact: XdsFact): boolean {
    if (fact.kind !== "acked") return false;
    const wasRefused = subscriptions.get(fact.name)?.nack !== undefined;
    return wasRefused && this.#snapshot.restored?.has(fact.name) === true;
  }

  /** Until then, the proxy has refused the certificates of its other streams, too. */
  #retry(nodeId: string): void {
    if (this.#holds.retryLater(nodeId)) return;
    for (const stream of this.#streamsOf(nodeId)) {
      this.#take(stream, receiveRetry(stream.subscriber));
    }
  }

  #streamsOf(nodeId: string): OpenStream[] {
    return [...this.#streams].filter(({ subscriber }) => nodeIdOf(subscriber) === nodeId);
  }

  #refusal(stream: SecretStream): StreamEnd | undefined {
    const { refuseName } = this.#dependencies;
    if (refuseName === undefined) return undefined;
    for (const name of stream.subscriber.subscriptions.keys()) {
      const refused = refuseName(stream, name);
      if (refused !== undefined) return refused;
    }
    return undefined;
  }

  #options(protocol: XdsProtocol) {
    const noncePrefix = `${randomBytes(6).toString("hex")}-`;
    return { protocol, typeUrl: secretTypeUrl, noncePrefix, snapshot: this.#snapshot };
  }
}

function nodeIdOf({ node }: Subscriber<SecretEvidence>): string {
  return node?.id ?? "";
}
