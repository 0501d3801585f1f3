/**
 * The Workload API on a socket of its own, with what it serves, its clock and its control plane in
 * the hands of a test; and a client of it.
 */

import {
  create,
  fromBinary,
  toBinary,
  type DescMethod,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  Client,
  credentials,
  Metadata,
  status,
  type ClientReadableStream,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceError,
} from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkReply } from "../../src/app/agent/certificate-reply.ts";
import { WorkloadApi } from "../../src/app/agent/workload-api/workload-api.ts";
import type { WorkloadSet } from "../../src/app/agent/workload-set.ts";
import { issueServingCertificate } from "../support/serving.ts";
import { proveKey } from "../../src/core/issuance/workload.ts";
import { trustBundle, type TrustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import { createCsr } from "../../src/core/x509/csr-create.ts";
import { createLocalServer } from "../../src/edge/rpc/grpc-server.ts";
import { addService, methodDefinition } from "../../src/edge/rpc/service-definition.ts";
import { TlsListener } from "../../src/edge/rpc/tls-listener.ts";
import { listenOnUnixSocket } from "../../src/edge/rpc/unix-listener.ts";
import {
  MeshService,
  MintJwtSvidResponseSchema,
} from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import type { MintJwtSvidRequest } from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { SpiffeWorkloadAPI } from "../../src/gen/spiffe/workload/workload_pb.ts";
import { ScriptedCa } from "../support/agent-ca.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { makeTokenKey, signToken, type TokenKey } from "../support/tokens.ts";

export interface MintCall {
  readonly authorization: unknown;
  readonly audience: readonly string[];
}

/** A token, a gRPC status code, or nothing: then the call is left hanging. */
export type MintAnswer = string | number | undefined;

export class WorkloadApiRig implements AsyncDisposable {
  readonly ca: ScriptedCa;
  readonly jwtKey: TokenKey = makeTokenKey("ES256", "jwt-1");
  readonly mints: MintCall[] = [];
  readonly problems: unknown[] = [];
  /** Before each look at what it serves. */
  onLook: () => void = () => {};
  readonly socket: string;
  readonly tokenFile: string;
  /** Of the clock that the Workload API goes by. */
  aheadMs = 0;
  answer: (call: MintCall) => MintAnswer = ({ audience }) => this.jwtSvid({ aud: audience });
  #set: WorkloadSet | undefined;
  #api: WorkloadApi | undefined;
  readonly #owned = new AsyncDisposableStack();

  private constructor(ca: ScriptedCa, directory: string) {
    this.ca = ca;
    this.socket = join(directory, "agent.sock");
    this.tokenFile = join(directory, "token");
  }

  static async start(): Promise<WorkloadApiRig> {
    const ca = await ScriptedCa.start();
    const directory = temporaryDirectory();
    const rig = new WorkloadApiRig(ca, directory.path);
    rig.#owned.use(directory);
    rig.#owned.use(ca);
    await rig.#open(join(directory.path, "roots.pem"));
    return rig;
  }

  get nowMs(): number {
    return Date.now() + this.aheadMs;
  }

  get set(): WorkloadSet | undefined {
    return this.#set;
  }

  /** As the agent does it: what is held first, then the news. */
  set set(set: WorkloadSet | undefined) {
    this.#set = set;
    this.#api?.setChanged();
  }

  /** A new certificate, and whom to trust. */
  async makeSet(ttlSeconds: number, bundle: TrustBundle = this.bundle(1n)): Promise<WorkloadSet> {
    this.ca.ttlSeconds = ttlSeconds;
    const csr = await createCsr();
    const chain = this.ca.sign(proveKey(csr.csrPem));
    const { certificate } = checkReply(chain, csr, undefined, Date.now());
    return { certificate, receivedAtMs: Date.now(), bundle };
  }

  bundle(sequence: bigint, ...keys: readonly TokenKey[]): TrustBundle {
    const { trustDomain, roots } = this.ca.authority.bundle;
    const jwtKeys = keys.map(({ keyId, publicKey }) => ({
      keyId,
      spki: publicKey.export({ format: "der", type: "spki" }),
    }));
    return trustBundle(trustDomain, sequence, roots, jwtKeys);
  }

  /** As an honest control plane would make it, for 5 minutes, but for the changes. */
  jwtSvid(changes: Readonly<Record<string, unknown>>, key: TokenKey = this.jwtKey): string {
    const iat = Math.floor(this.nowMs / 1_000);
    const payload = { sub: this.ca.spiffeId, iat, exp: iat + 300, ...changes };
    const header = { alg: key.algorithm, kid: key.keyId, typ: "JWT" };
    return signToken(key, { header, payload });
  }

  client(): WorkloadClient {
    return new WorkloadClient(this.socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }

  async #open(serverRootFile: string): Promise<void> {
    writeFileSync(serverRootFile, this.ca.rootPem);
    writeFileSync(this.tokenFile, "token-1");
    const api = new WorkloadApi({
      server: await this.#openMint(),
      serverRoots: async () => readFileSync(serverRootFile),
      tokenFile: this.tokenFile,
      listen: () => ({ took: () => {}, left: () => {} }),
      onEvidence: () => {},
      set: () => {
        this.onLook();
        const set = this.#set;
        return set !== undefined && this.nowMs < set.certificate.notAfterMs ? set : undefined;
      },
      nowMs: () => this.nowMs,
      onProblem: (error) => this.problems.push(error),
    });
    this.#api = this.#owned.use(api);
    const grpc = createLocalServer();
    addService(grpc, SpiffeWorkloadAPI, api.handlers);
    this.#owned.use(await listenOnUnixSocket(grpc, this.socket, 0o600));
    this.set = await this.makeSet(86_400, this.bundle(1n, this.jwtKey));
  }

  /** @returns its address */
  async #openMint(): Promise<string> {
    const grpc = createLocalServer();
    addService(grpc, MeshService, {
      mintJwtSvid: (
        { metadata, request }: ServerUnaryCall<MintJwtSvidRequest, object>,
        reply: sendUnaryData<object>,
      ) => {
        const [authorization] = metadata.get("authorization");
        const call = { authorization, audience: request.audience };
        this.mints.push(call);
        const answer = this.answer(call);
        if (answer === undefined) return;
        if (typeof answer === "number") reply({ code: answer, details: "scripted" });
        else reply(null, create(MintJwtSvidResponseSchema, { svid: answer }));
      },
    });
    const identity = issueServingCertificate(this.ca.authority, ["127.0.0.1"], Date.now());
    const limits = { handshakeTimeoutMs: 5_000, connectionsMax: 100, onRefused: () => {} };
    const listener = new TlsListener(grpc, identity, limits);
    this.#owned.defer(() => {
      void listener.drain(0);
      grpc.forceShutdown();
    });
    return `127.0.0.1:${(await listener.listen("127.0.0.1", 0)).port}`;
  }
}

const answerTimeoutMs = 5_000;

export class WorkloadClient implements Disposable {
  readonly #client: Client;

  constructor(socket: string) {
    const options = { "grpc.use_local_subchannel_pool": 1 };
    this.#client = new Client(`unix:${socket}`, credentials.createInsecure(), options);
  }

  /** @throws ServiceError */
  async call<M extends DescMethod>(
    method: M,
    init: Readonly<Record<string, unknown>>,
  ): Promise<MessageShape<M["output"]>> {
    using stream = this.open(method, init);
    return await stream.next();
  }

  open<M extends DescMethod>(
    method: M,
    init: Readonly<Record<string, unknown>> = {},
  ): WorkloadStream<MessageShape<M["output"]>> {
    const metadata = new Metadata();
    metadata.set("workload.spiffe.io", "true");
    const stream = this.#client.makeServerStreamRequest(
      methodDefinition(SpiffeWorkloadAPI, method).path,
      (message: Uint8Array) => Buffer.from(message),
      (reply: Buffer) => fromBinary<M["output"]>(method.output, reply),
      toBinary(method.input, create(method.input, init as never)),
      metadata,
    );
    return new WorkloadStream(stream);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** What comes is kept until it is asked for. */
export class WorkloadStream<Message> implements Disposable {
  readonly #stream: ClientReadableStream<Message>;
  readonly #messages: Message[] = [];
  #end: ServiceError | undefined;
  #wake: () => void = () => {};

  constructor(stream: ClientReadableStream<Message>) {
    this.#stream = stream;
    stream.on("data", (message: Message) => {
      this.#messages.push(message);
      this.#wake();
    });
    stream.on("error", (error: ServiceError) => {
      this.#end = error;
      this.#wake();
    });
  }

  /** @throws ServiceError when it ends instead */
  async next(): Promise<Message> {
    await this.#until(() => this.#messages.length > 0 || this.#end !== undefined);
    const message = this.#messages.shift();
    if (message === undefined) throw this.#end ?? new Error("no message");
    return message;
  }

  /** @returns how it ended, with nothing more before it */
  async ended(): Promise<number> {
    await this.#until(() => this.#end !== undefined);
    assert.deepEqual(this.#messages, []);
    return this.#end?.code ?? status.OK;
  }

  async assertSilent(forMs = 150): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, forMs));
    assert.deepEqual([this.#messages, this.#end], [[], undefined]);
  }

  [Symbol.dispose](): void {
    this.#stream.on("error", () => {});
    this.#stream.cancel();
  }

  async #until(isTrue: () => boolean): Promise<void> {
    const deadline = AbortSignal.timeout(answerTimeoutMs);
    while (!isTrue()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const late = setTimeout(resolve, 50);
      await promise;
      clearTimeout(late);
      assert.equal(deadline.aborted, false, "nothing came in time");
    }
  }
}
