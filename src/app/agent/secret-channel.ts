/**
 * One workload's SDS streams, and the one snapshot that they are all served from. The subscriber machine decides what is
 * sent; nothing crosses from one channel to another.
 */

import { randomBytes } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { secretTypeUrl, type SecretEvidence } from "../../core/envoy/secret.ts";
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
} from "../../core/xds/subscriber.ts";
import type { XdsFact, XdsProtocol, XdsResponse } from "../../core/xds/subscription.ts";

export interface ChannelDependencies {
  readonly nowMs: () => number;
  readonly streamsMax: number;
  /** After each change of what is known of a stream; and when it closes. */
  readonly onEvidence: () => void;
  readonly onFact: (stream: SecretStream, fact: XdsFact) => void;
  /** Somebody has taken a trust bundle without a stream, and is not heard of it any more. */
  readonly onBundleFetched: () => void;
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
  #snapshot: Snapshot<SecretEvidence>;

  constructor(dependencies: ChannelDependencies, snapshot: Snapshot<SecretEvidence>) {
    this.#dependencies = dependencies;
    this.#snapshot = snapshot;
  }

  get streams(): ReadonlySet<SecretStream> {
    return this.#streams;
  }

  publish(snapshot: Snapshot<SecretEvidence>): void {
    this.#snapshot = snapshot;
    const steps = Array.from(this.#streams, (stream) => {
      return { stream, step: receiveSnapshot(stream.subscriber, snapshot) };
    });
    // Whom to trust goes out before a certificate: an Envoy has a stream for each secret, and its peers' may be of a new root, too.
    const [bundles, others] = [steps.filter(hasBundle), steps.filter((each) => !hasBundle(each))];
    for (const { stream, step } of [...bundles, ...others]) this.#take(stream, step);
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
        this.#take(stream, receiveSotw(stream.subscriber, request, nowMs));
      },
      receiveDelta: (request) => {
        const nowMs = this.#beforeAnswer();
        this.#take(stream, receiveDelta(stream.subscriber, request, nowMs));
      },
      close: () => {
        if (this.#streams.delete(stream)) this.#dependencies.onEvidence();
      },
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

  #take(stream: OpenStream, step: Step<SecretEvidence>): void {
    if (!this.#streams.has(stream)) return;
    if (step.kind === "end") return stream.transport.end(endOf(step));
    const before = stream.subscriber;
    stream.subscriber = step.subscriber;
    const refused = this.#refusal(stream);
    if (refused !== undefined) return stream.transport.end(refused);
    if (step.response !== undefined) stream.transport.send(step.response);
    for (const fact of step.facts) this.#dependencies.onFact(stream, fact);
    this.#dependencies.onEvidence();
    if (step.facts.some((fact) => this.#hasRecovered(before, fact))) this.#retry(stream);
  }

  /** A trust bundle is accepted after a refusal. */
  #hasRecovered({ subscriptions }: Subscriber<SecretEvidence>, fact: XdsFact): boolean {
    if (fact.kind !== "acked") return false;
    const wasRefused = subscriptions.get(fact.name)?.nack !== undefined;
    return wasRefused && this.#snapshot.restored?.has(fact.name) === true;
  }

  /** Until then, the proxy has refused the certificates of its other streams, too. */
  #retry({ subscriber }: OpenStream): void {
    for (const stream of this.#streams) {
      if (stream.subscriber.node?.id === subscriber.node?.id) {
        this.#take(stream, receiveRetry(stream.subscriber));
      }
    }
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

/** Of the certificate that an ACK proves; undefined for all else. */
export function serialOf({ subscriber }: SecretStream, fact: XdsFact): string | undefined {
  if (fact.kind !== "acked") return undefined;
  return subscriber.subscriptions.get(fact.name)?.acked?.evidence.certificate?.serialHex;
}

function hasBundle({ step }: { readonly step: Step<SecretEvidence> }): boolean {
  return step.kind === "continue" && step.response !== undefined && carriesBundle(step.response);
}

function carriesBundle({ resources }: XdsResponse<SecretEvidence>): boolean {
  return resources.some(({ evidence }) => evidence.rootsDigest !== undefined);
}

function endOf(step: Extract<Step<SecretEvidence>, { kind: "end" }>): StreamEnd {
  const codes = {
    "invalid-argument": status.INVALID_ARGUMENT,
    "resource-exhausted": status.RESOURCE_EXHAUSTED,
  };
  return { code: codes[step.status], details: step.message };
}
