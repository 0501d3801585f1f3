/** A client of an agent's Aggregated Discovery Service, over its real socket: it says what a test tells it to. */

import assert from "node:assert/strict";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Client,
  credentials,
  Metadata,
  type ClientDuplexStream,
  type ServiceError,
} from "@grpc/grpc-js";
import { setTimeout as sleep } from "node:timers/promises";
import { methodDefinition } from "../../src/edge/rpc/service-definition.ts";
import { AggregatedDiscoveryService } from "../../src/gen/envoy/service/discovery/v3/ads_pb.ts";
import {
  DeltaDiscoveryRequestSchema,
  DiscoveryRequestSchema,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  type DiscoveryRequest,
  type DiscoveryResponse,
} from "../../src/gen/envoy/service/discovery/v3/discovery_pb.ts";

const { streamAggregatedResources, deltaAggregatedResources } = AggregatedDiscoveryService.method;
const answerTimeoutMs = 5_000;

export class AdsClient implements Disposable {
  readonly #client: Client;

  constructor(socketPath: string) {
    const options = { "grpc.use_local_subchannel_pool": 1 };
    this.#client = new Client(`unix:${socketPath}`, credentials.createInsecure(), options);
  }

  sotw(metadata: Metadata = new Metadata()): SotwStream {
    const method = methodDefinition(AggregatedDiscoveryService, streamAggregatedResources);
    const { path, requestSerialize, responseDeserialize } = method;
    return new SotwStream(
      this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata),
    );
  }

  delta(metadata: Metadata = new Metadata()): DeltaStream {
    const method = methodDefinition(AggregatedDiscoveryService, deltaAggregatedResources);
    const { path, requestSerialize, responseDeserialize } = method;
    return new DeltaStream(
      this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata),
    );
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

abstract class AdsStream<
  Request,
  Response extends { readonly typeUrl: string },
> implements Disposable {
  protected readonly call: ClientDuplexStream<Request, Response>;
  readonly #responses: Response[] = [];
  #end: ServiceError | undefined;

  constructor(call: ClientDuplexStream<Request, Response>) {
    this.call = call;
    call.on("data", (response: Response) => this.#responses.push(response));
    call.on("error", (error: ServiceError) => (this.#end = error));
  }

  /** Of that type; what has come of others stays. */
  async next(typeUrl: string): Promise<Response> {
    for (let waitedMs = 0; waitedMs < answerTimeoutMs; waitedMs += 5) {
      const index = this.#responses.findIndex((response) => response.typeUrl === typeUrl);
      const [response] = index < 0 ? [] : this.#responses.splice(index, 1);
      if (response !== undefined) return response;
      assert.equal(this.#end, undefined);
      await sleep(5);
    }
    return assert.fail(`expected a response of ${typeUrl}, got none`);
  }

  /** What has come so far. */
  take(): Response[] {
    return this.#responses.splice(0);
  }

  /** Fails if something comes within a time in which it would have come. */
  async assertSilent(): Promise<void> {
    await sleep(100);
    assert.equal(this.#end, undefined);
    assert.deepEqual(this.#responses, []);
  }

  /** @returns the status with which the server ends the stream */
  async ended(): Promise<number> {
    for (let waitedMs = 0; waitedMs < answerTimeoutMs; waitedMs += 5) {
      if (this.#end !== undefined) return this.#end.code;
      await sleep(5);
    }
    return assert.fail("expected the stream to end");
  }

  [Symbol.dispose](): void {
    this.call.cancel();
  }
}

class SotwStream extends AdsStream<DiscoveryRequest, DiscoveryResponse> {
  send(init: MessageInitShape<typeof DiscoveryRequestSchema>): void {
    this.call.write(create(DiscoveryRequestSchema, init));
  }

  ack({ typeUrl, versionInfo, nonce }: DiscoveryResponse, ...names: readonly string[]): void {
    this.send({ typeUrl, versionInfo, responseNonce: nonce, resourceNames: [...names] });
  }
}

class DeltaStream extends AdsStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
  send(init: MessageInitShape<typeof DeltaDiscoveryRequestSchema>): void {
    this.call.write(create(DeltaDiscoveryRequestSchema, init));
  }
}
