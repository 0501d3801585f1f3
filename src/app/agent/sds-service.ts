/**
 * Envoy's Secret Discovery Service, in its three forms. The subscriber machine decides; this moves
 * messages between it and gRPC, and keeps the list of who is there.
 */

import {
  status,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
} from "@grpc/grpc-js";
import { randomBytes } from "node:crypto";
import { secretTypeUrl, type SecretEvidence } from "../../core/envoy/secret.ts";
import type { Snapshot } from "../../core/xds/resource.ts";
import {
  openSubscriber,
  receiveDelta,
  receiveSnapshot,
  receiveSotw,
  type Step,
  type Subscriber,
} from "../../core/xds/subscriber.ts";
import type { XdsFact, XdsProtocol, XdsResponse } from "../../core/xds/subscription.ts";
import { deltaRequest, deltaResponse, sotwRequest, sotwResponse } from "../../core/xds/wire.ts";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from "../../gen/envoy/service/discovery/v3/discovery_pb.ts";

export interface SdsDependencies {
  readonly nowMs: () => number;
  readonly streamsMax: number;
  /** After each change of what is known of a stream; and when it closes. */
  readonly onEvidence: (stream: SdsStream) => void;
  readonly onFact: (stream: SdsStream, fact: XdsFact) => void;
  /** May publish: what has expired must not be sent, whatever timers say. */
  readonly beforeAnswer: () => void;
}

export interface SdsStream {
  readonly id: bigint;
  readonly subscriber: Subscriber<SecretEvidence>;
}

interface OpenStream {
  readonly id: bigint;
  subscriber: Subscriber<SecretEvidence>;
  readonly send: (response: XdsResponse<SecretEvidence>) => void;
  readonly end: (code: number, details: string) => void;
}

type SotwCall = ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>;
type DeltaCall = ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

export class SdsService {
  readonly #dependencies: SdsDependencies;
  readonly #streams = new Set<OpenStream>();
  #snapshot: Snapshot<SecretEvidence>;
  #opened = 0n;

  constructor(dependencies: SdsDependencies, snapshot: Snapshot<SecretEvidence>) {
    this.#dependencies = dependencies;
    this.#snapshot = snapshot;
  }

  get streams(): ReadonlySet<SdsStream> {
    return this.#streams;
  }

  publish(snapshot: Snapshot<SecretEvidence>): void {
    this.#snapshot = snapshot;
    for (const stream of this.#streams) {
      this.#take(stream, receiveSnapshot(stream.subscriber, snapshot));
    }
  }

  /** The handler of `StreamSecrets`. */
  streamSecrets(call: SotwCall): void {
    const stream = this.#open("sotw", call, (response) =>
      call.write(sotwResponse(secretTypeUrl, response)),
    );
    call.on("data", (request: DiscoveryRequest) => {
      const nowMs = this.#beforeAnswer();
      this.#take(stream, receiveSotw(stream.subscriber, sotwRequest(request), nowMs));
    });
  }

  /** The handler of `DeltaSecrets`. */
  deltaSecrets(call: DeltaCall): void {
    const stream = this.#open("delta", call, (response) =>
      call.write(deltaResponse(secretTypeUrl, response)),
    );
    call.on("data", (request: DeltaDiscoveryRequest) => {
      const nowMs = this.#beforeAnswer();
      this.#take(stream, receiveDelta(stream.subscriber, deltaRequest(request), nowMs));
    });
  }

  /** The handler of `FetchSecrets`: one answer, and so no evidence that anything was accepted. */
  fetchSecrets(
    call: ServerUnaryCall<DiscoveryRequest, DiscoveryResponse>,
    reply: sendUnaryData<DiscoveryResponse>,
  ): void {
    const nowMs = this.#beforeAnswer();
    const subscriber = openSubscriber(this.#options("sotw"));
    const step = receiveSotw(subscriber, sotwRequest(call.request), nowMs);
    if (step.kind === "end") return reply(endOf(step));
    if (step.response !== undefined) {
      return reply(null, sotwResponse(secretTypeUrl, step.response));
    }
    const names = call.request.resourceNames;
    const pending = names.some((name) => this.#snapshot.pending.has(name));
    reply(
      pending
        ? { code: status.UNAVAILABLE, details: "the secret is not there yet: try again" }
        : { code: status.NOT_FOUND, details: "no such secret" },
    );
  }

  #beforeAnswer(): number {
    this.#dependencies.beforeAnswer();
    return this.#dependencies.nowMs();
  }

  /** @param write false when the client does not keep up */
  #open(
    protocol: XdsProtocol,
    call: SotwCall | DeltaCall,
    write: (response: XdsResponse<SecretEvidence>) => boolean,
  ): OpenStream {
    const stream: OpenStream = {
      id: ++this.#opened,
      subscriber: openSubscriber(this.#options(protocol)),
      send: (response) => {
        if (write(response)) return;
        // Whoever does not read its answers is not heard, either.
        call.pause();
        call.once("drain", () => call.resume());
      },
      end: (code, details) => call.emit("error", { code, details }),
    };
    const close = (): void => {
      if (!this.#streams.delete(stream)) return;
      this.#dependencies.onEvidence(stream);
    };
    call.on("error", close);
    call.on("cancelled", close);
    call.on("close", close);
    call.on("end", () => {
      close();
      call.end();
    });
    if (this.#streams.size >= this.#dependencies.streamsMax) {
      stream.end(status.RESOURCE_EXHAUSTED, "too many streams");
    } else {
      this.#streams.add(stream);
    }
    return stream;
  }

  #take(stream: OpenStream, step: Step<SecretEvidence>): void {
    if (!this.#streams.has(stream)) return;
    if (step.kind === "end") {
      const { code, details } = endOf(step);
      return stream.end(code, details);
    }
    stream.subscriber = step.subscriber;
    if (step.response !== undefined) stream.send(step.response);
    for (const fact of step.facts) this.#dependencies.onFact(stream, fact);
    this.#dependencies.onEvidence(stream);
  }

  #options(protocol: XdsProtocol) {
    const noncePrefix = `${randomBytes(6).toString("hex")}-`;
    return { protocol, typeUrl: secretTypeUrl, noncePrefix, snapshot: this.#snapshot };
  }
}

function endOf(step: Extract<Step<SecretEvidence>, { kind: "end" }>) {
  const codes = {
    "invalid-argument": status.INVALID_ARGUMENT,
    "resource-exhausted": status.RESOURCE_EXHAUSTED,
  };
  return { code: codes[step.status], details: step.message };
}
