/**
 * The least ADS server: state of the world, everything to everybody, so that what Envoy says of the resources owes nothing to the
 * agent. A change is done when Envoy has acknowledged the newest version of each type.
 */

import { once, EventEmitter } from "node:events";
import { create } from "@bufbuild/protobuf";
import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import {
  clusterTypeUrl,
  endpointTypeUrl,
  listenerTypeUrl,
  type ProxyResources,
} from "../../src/core/envoy/proxy-resources.ts";
import { secretTypeUrl, type SecretResource } from "../../src/core/envoy/secret.ts";
import { serviceDefinition } from "../../src/edge/rpc/service-definition.ts";
import { AggregatedDiscoveryService } from "../../src/gen/envoy/service/discovery/v3/ads_pb.ts";
import {
  DiscoveryResponseSchema,
  type DiscoveryRequest,
  type DiscoveryResponse,
} from "../../src/gen/envoy/service/discovery/v3/discovery_pb.ts";

type Bodies = readonly { readonly name: string; readonly body: Uint8Array }[];
type Stream = ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>;

/** Clusters before their endpoints, and both before the listeners that lead to them. */
const order = [secretTypeUrl, clusterTypeUrl, endpointTypeUrl, listenerTypeUrl];

export class AdsServer implements Disposable {
  readonly #socketPath: string;
  readonly #server = new Server();
  readonly #answers = new EventEmitter();
  readonly #bodies = new Map<string, Bodies>(order.map((typeUrl) => [typeUrl, []]));
  /** By type: the names in the last request. */
  readonly #names = new Map<string, readonly string[]>();
  readonly #acked = new Map<string, number>();
  #version = 0;
  #stream: Stream | undefined;
  /** Envoy's words, by type. */
  readonly nacks: Map<string, string> = new Map<string, string>();

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
    this.#server.addService(serviceDefinition(AggregatedDiscoveryService), {
      streamAggregatedResources: (call: Stream) => this.#serve(call),
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const done = (error: Error | null): void => (error === null ? resolve() : reject(error));
      const credentials = ServerCredentials.createInsecure();
      this.#server.bindAsync(`unix:${this.#socketPath}`, credentials, done);
    });
  }

  setSecrets(secrets: readonly SecretResource[]): void {
    this.#bodies.set(secretTypeUrl, secrets);
    this.#version += 1;
    this.#push();
  }

  /** @returns when Envoy has taken all of it, or refused some: see `nacks` */
  async apply({ listeners, clusters, endpoints }: ProxyResources): Promise<void> {
    this.#bodies.set(listenerTypeUrl, listeners);
    this.#bodies.set(clusterTypeUrl, clusters);
    this.#bodies.set(endpointTypeUrl, endpoints);
    this.#version += 1;
    this.nacks.clear();
    this.#push();
    const types = [clusterTypeUrl, listenerTypeUrl];
    if (endpoints.length > 0) types.push(endpointTypeUrl);
    const isDone = (): boolean => types.every((type) => this.#acked.get(type) === this.#version);
    const signal = AbortSignal.timeout(10_000);
    while (!isDone()) await once(this.#answers, "answer", { signal });
  }

  [Symbol.dispose](): void {
    this.#server.forceShutdown();
  }

  #serve(call: Stream): void {
    this.#stream = call;
    this.#names.clear();
    call.on("data", (request: DiscoveryRequest) => this.#receive(request));
    call.on("end", () => call.end());
    call.on("error", () => undefined);
  }

  #receive({ typeUrl, resourceNames, responseNonce, errorDetail }: DiscoveryRequest): void {
    const known = this.#names.get(typeUrl);
    this.#names.set(typeUrl, resourceNames);
    if (responseNonce !== "") {
      if (errorDetail !== undefined) this.nacks.set(typeUrl, errorDetail.message);
      this.#acked.set(typeUrl, Number(responseNonce));
      this.#answers.emit("answer");
    }
    if (known?.join(" ") !== resourceNames.join(" ")) this.#send(typeUrl);
  }

  #push(): void {
    for (const typeUrl of order) if (this.#names.has(typeUrl)) this.#send(typeUrl);
  }

  #send(typeUrl: string): void {
    const names = this.#names.get(typeUrl) ?? [];
    const wanted = (this.#bodies.get(typeUrl) ?? []).filter(
      ({ name }) => names.length === 0 || names.includes(name),
    );
    if (wanted.length === 0 && typeUrl === secretTypeUrl) return;
    const version = String(this.#version);
    const resources = wanted.map(({ body }) => ({ typeUrl, value: body }));
    const response = { typeUrl, resources, versionInfo: version, nonce: version };
    this.#stream?.write(create(DiscoveryResponseSchema, response));
  }
}
