/**
 * The least SDS server that can drive the subscriber machine: grpc-js on a Unix socket, and nothing
 * kept back.
 */

import {
  Server,
  ServerCredentials,
  status,
  type ServerDuplexStream,
  type StatusObject,
} from "@grpc/grpc-js";
import {
  secretTypeUrl,
  type SecretEvidence,
  type SecretResource,
} from "../../src/core/envoy/secret.ts";
import type { Snapshot } from "../../src/core/xds/resource.ts";
import {
  openSubscriber,
  receiveDelta,
  receiveSnapshot,
  receiveSotw,
  type Step,
  type Subscriber,
} from "../../src/core/xds/subscriber.ts";
import type { Subscription, XdsProtocol } from "../../src/core/xds/subscription.ts";
import { deltaRequest, deltaResponse, sotwRequest, sotwResponse } from "../../src/core/xds/wire.ts";
import { serviceDefinition } from "../../src/edge/rpc/service-definition.ts";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from "../../src/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { SecretDiscoveryService } from "../../src/gen/envoy/service/secret/v3/sds_pb.ts";

interface Stream {
  subscriber: Subscriber<SecretEvidence>;
  take(step: Step<SecretEvidence>): void;
}

export class SdsServer implements Disposable {
  readonly #socketPath: string;
  readonly #streams = new Set<Stream>();
  #server: Server | undefined;
  #snapshot: Snapshot<SecretEvidence> = secretSnapshot([]);
  #streamCount = 0;
  /** Since the last start. */
  responseCount = 0;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Begins anew, without any memory of what was sent before. */
  async start(snapshot: Snapshot<SecretEvidence>): Promise<void> {
    this.#server?.forceShutdown();
    this.#streams.clear();
    this.#snapshot = snapshot;
    this.responseCount = 0;
    const server = new Server();
    this.#server = server;
    server.addService(serviceDefinition(SecretDiscoveryService), {
      streamSecrets: (call: ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>) =>
        this.#streamSecrets(call),
      deltaSecrets: (call: ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>) =>
        this.#deltaSecrets(call),
    });
    await new Promise<void>((resolve, reject) => {
      const done = (error: Error | null): void => (error === null ? resolve() : reject(error));
      server.bindAsync(`unix:${this.#socketPath}`, ServerCredentials.createInsecure(), done);
    });
  }

  publish(snapshot: Snapshot<SecretEvidence>): void {
    this.#snapshot = snapshot;
    for (const stream of this.#streams) stream.take(receiveSnapshot(stream.subscriber, snapshot));
  }

  /** Of all open streams: Envoy opens one for each name. */
  subscription(name: string): Subscription<SecretEvidence> | undefined {
    const streams = [...this.#streams].map(({ subscriber }) => subscriber.subscriptions.get(name));
    return streams.find((subscription) => subscription !== undefined);
  }

  get nodeIds(): ReadonlySet<string | undefined> {
    return new Set([...this.#streams].map(({ subscriber }) => subscriber.node?.id));
  }

  [Symbol.dispose](): void {
    this.#server?.forceShutdown();
  }

  #streamSecrets(call: ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>): void {
    const stream = this.#open("sotw", call, (step) => {
      if (step.response !== undefined) call.write(sotwResponse(secretTypeUrl, step.response));
    });
    call.on("data", (message: DiscoveryRequest) => {
      stream.take(receiveSotw(stream.subscriber, sotwRequest(message), Date.now()));
    });
  }

  #deltaSecrets(call: ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>): void {
    const stream = this.#open("delta", call, (step) => {
      if (step.response !== undefined) call.write(deltaResponse(secretTypeUrl, step.response));
    });
    call.on("data", (message: DeltaDiscoveryRequest) => {
      stream.take(receiveDelta(stream.subscriber, deltaRequest(message), Date.now()));
    });
  }

  #open(
    protocol: XdsProtocol,
    call: Pick<ServerDuplexStream<object, object>, "on" | "end" | "emit">,
    send: (step: Extract<Step<SecretEvidence>, { kind: "continue" }>) => void,
  ): Stream {
    const options = { protocol, typeUrl: secretTypeUrl, snapshot: this.#snapshot };
    const noncePrefix = `stream-${++this.#streamCount}-`;
    const stream: Stream = {
      subscriber: openSubscriber({ ...options, noncePrefix }),
      take: (step) => {
        if (step.kind === "end") {
          const code =
            status[step.status === "invalid-argument" ? "INVALID_ARGUMENT" : "RESOURCE_EXHAUSTED"];
          const end: Partial<StatusObject> = { code, details: step.message };
          call.emit("error", end);
          return;
        }
        stream.subscriber = step.subscriber;
        if (step.response !== undefined) this.responseCount += 1;
        send(step);
      },
    };
    this.#streams.add(stream);
    call.on("end", () => call.end());
    call.on("close", () => this.#streams.delete(stream));
    call.on("cancelled", () => this.#streams.delete(stream));
    call.on("error", () => this.#streams.delete(stream));
    return stream;
  }
}

export function secretSnapshot(
  resources: readonly SecretResource[],
  pending: readonly string[] = [],
): Snapshot<SecretEvidence> {
  return {
    resources: new Map(resources.map((resource) => [resource.name, resource])),
    pending: new Set(pending),
  };
}
