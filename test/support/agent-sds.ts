/** A client of an agent's Secret Discovery Service, over its real socket. */

import assert from "node:assert/strict";
import { create, fromBinary, type DescMethod, type MessageShape } from "@bufbuild/protobuf";
import {
  Client,
  credentials,
  Metadata,
  type ClientDuplexStream,
  type ServiceError,
} from "@grpc/grpc-js";
import { X509Certificate } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { secretTypeUrl } from "../../src/core/envoy/secret.ts";
import { methodDefinition } from "../../src/edge/rpc/service-definition.ts";
import {
  SecretSchema,
  type Secret,
} from "../../src/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import {
  DeltaDiscoveryRequestSchema,
  DiscoveryRequestSchema,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  type DiscoveryRequest,
  type DiscoveryResponse,
} from "../../src/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { SecretDiscoveryService } from "../../src/gen/envoy/service/secret/v3/sds_pb.ts";

interface Refusal {
  readonly errorDetail?: { readonly code: number; readonly message: string };
}

type SotwInit = Refusal &
  Partial<Pick<DiscoveryRequest, "typeUrl" | "resourceNames" | "versionInfo" | "responseNonce">>;
type DeltaInit = Refusal &
  Partial<
    Pick<
      DeltaDiscoveryRequest,
      | "resourceNamesSubscribe"
      | "resourceNamesUnsubscribe"
      | "initialResourceVersions"
      | "responseNonce"
    >
  >;

const { streamSecrets, deltaSecrets, fetchSecrets } = SecretDiscoveryService.method;
const answerTimeoutMs = 5_000;

export class SdsClient implements Disposable {
  readonly #client: Client;
  readonly #metadata: Metadata;

  /** @param metadata of each call */
  constructor(socketPath: string, metadata: Metadata = new Metadata()) {
    this.#metadata = metadata;
    const options = { "grpc.use_local_subchannel_pool": 1 };
    this.#client = new Client(`unix:${socketPath}`, credentials.createInsecure(), options);
  }

  /** @param nodeId sent with the first request */
  sotw(nodeId = "proxy-1", metadata?: Metadata): SotwStream {
    return new SotwStream(this.#open(streamSecrets, metadata), nodeId);
  }

  delta(nodeId = "proxy-1", metadata?: Metadata): DeltaStream {
    return new DeltaStream(this.#open(deltaSecrets, metadata), nodeId);
  }

  /** @throws ServiceError */
  async fetch(
    names: readonly string[],
    typeUrl: string = secretTypeUrl,
  ): Promise<DiscoveryResponse> {
    const method = methodDefinition(SecretDiscoveryService, fetchSecrets);
    const request = create(DiscoveryRequestSchema, { typeUrl, resourceNames: [...names] });
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        this.#metadata,
        { deadline: Date.now() + answerTimeoutMs },
        (error, response) => (response === undefined ? reject(error) : resolve(response)),
      );
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  /** Sends bytes as they are where a request belongs. @returns the status that it ends with */
  async sendBytes(bytes: Uint8Array): Promise<number> {
    const { path, responseDeserialize } = methodDefinition(SecretDiscoveryService, streamSecrets);
    const call = this.#client.makeBidiStreamRequest<Uint8Array, DiscoveryResponse>(
      path,
      (raw) => Buffer.from(raw),
      responseDeserialize,
      this.#metadata,
    );
    call.on("data", () => {});
    return new Promise((resolve) => {
      call.on("error", ({ code }: ServiceError) => resolve(code));
      call.on("end", () => resolve(0));
      call.end(bytes);
    });
  }

  #open<M extends DescMethod>(
    method: M,
    metadata: Metadata = this.#metadata,
  ): ClientDuplexStream<MessageShape<M["input"]>, MessageShape<M["output"]>> {
    const definition = methodDefinition(SecretDiscoveryService, method);
    const { path, requestSerialize, responseDeserialize } = definition;
    return this.#client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      metadata,
    );
  }
}

/** What comes is kept until it is asked for; nothing is acknowledged by itself. */
abstract class SdsStream<Request, Response> implements Disposable {
  protected readonly call: ClientDuplexStream<Request, Response>;
  readonly #responses: Response[] = [];
  /** Why the server ended the stream. */
  end: ServiceError | undefined;

  constructor(call: ClientDuplexStream<Request, Response>) {
    this.call = call;
    call.on("data", (response: Response) => this.#responses.push(response));
    call.on("error", (error: ServiceError) => (this.end = error));
  }

  async next(): Promise<Response> {
    for (let waitedMs = 0; waitedMs < answerTimeoutMs; waitedMs += 5) {
      const response = this.#responses.shift();
      if (response !== undefined) return response;
      assert.equal(this.end, undefined);
      await sleep(5);
    }
    return assert.fail("expected a response, got none");
  }

  /** What has come so far. */
  take(): Response[] {
    return this.#responses.splice(0);
  }

  /** Fails if something comes within a time in which it would have come. */
  async assertSilent(): Promise<void> {
    await sleep(100);
    assert.equal(this.end, undefined);
    assert.deepEqual(this.#responses, []);
  }

  /** @returns the status with which the server ends the stream */
  async ended(): Promise<number> {
    for (let waitedMs = 0; waitedMs < answerTimeoutMs; waitedMs += 5) {
      if (this.end !== undefined) return this.end.code;
      await sleep(5);
    }
    return assert.fail("expected the stream to end");
  }

  [Symbol.dispose](): void {
    this.call.cancel();
  }
}

export class SotwStream extends SdsStream<DiscoveryRequest, DiscoveryResponse> {
  readonly #names = new Set<string>();
  #node: { readonly id: string; readonly cluster: string } | undefined;

  constructor(call: ClientDuplexStream<DiscoveryRequest, DiscoveryResponse>, nodeId: string) {
    super(call);
    this.#node = { id: nodeId, cluster: "test" };
  }

  subscribe(...names: readonly string[]): void {
    for (const name of names) this.#names.add(name);
    this.send({});
  }

  ack({ nonce, versionInfo }: DiscoveryResponse): void {
    this.send({ responseNonce: nonce, versionInfo });
  }

  nack({ nonce }: DiscoveryResponse, message: string): void {
    this.send({ responseNonce: nonce, errorDetail: { code: 13, message } });
  }

  send(init: SotwInit): void {
    const node = this.#node === undefined ? {} : { node: this.#node };
    this.#node = undefined;
    const names = { typeUrl: secretTypeUrl, resourceNames: [...this.#names] };
    this.call.write(create(DiscoveryRequestSchema, { ...node, ...names, ...init }));
  }
}

class DeltaStream extends SdsStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
  #node: { readonly id: string; readonly cluster: string } | undefined;

  constructor(
    call: ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>,
    nodeId: string,
  ) {
    super(call);
    this.#node = { id: nodeId, cluster: "test" };
  }

  send(init: DeltaInit): void {
    const node = this.#node === undefined ? {} : { node: this.#node };
    this.#node = undefined;
    const request = { typeUrl: secretTypeUrl, ...node, ...init };
    this.call.write(create(DeltaDiscoveryRequestSchema, request));
  }
}

/** What a response carries, by name. */
export function secretsIn(
  response: DiscoveryResponse | DeltaDiscoveryResponse,
): Map<string, Secret> {
  const secrets = new Map<string, Secret>();
  for (const resource of response.resources) {
    const any = "typeUrl" in resource ? resource : resource.resource;
    assert.equal(any?.typeUrl, secretTypeUrl);
    const secret = fromBinary(SecretSchema, any.value);
    secrets.set(secret.name, secret);
  }
  return secrets;
}

/** Of the leaf; undefined if the secret is no certificate. */
export function serialOf(secret: Secret | undefined): string | undefined {
  if (secret?.type.case !== "tlsCertificate") return undefined;
  const specifier = secret.type.value.certificateChain?.specifier;
  assert(specifier?.case === "inlineBytes");
  return new X509Certificate(specifier.value).serialNumber.toLowerCase();
}
