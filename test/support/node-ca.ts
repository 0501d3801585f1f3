/**
 * The control plane of a node agent, as far as a test cannot do with a real one: it believes the tokens that it is told to,
 * and answers batches as it is told to. Its mesh stream and its roll are the real ones.
 */

import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  status,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
} from "@grpc/grpc-js";
import { randomBytes } from "node:crypto";
import { pino } from "pino";
import { MeshService } from "../../src/app/server/mesh/mesh-service.ts";
import { AuthnError } from "../../src/core/identity/authn-error.ts";
import type { Caller } from "../../src/core/identity/caller.ts";
import { proveKey } from "../../src/core/issuance/workload.ts";
import { Roll } from "../../src/core/roll/roll.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import type { TrustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import { encodeCertificates, encodePem } from "../../src/core/x509/pem.ts";
import { createNetworkServer } from "../../src/edge/rpc/grpc-server.ts";
import { encodeBundle, encodeRenewCertificates } from "../../src/edge/rpc/mesh-messages.ts";
import { authenticatedPeer } from "../../src/edge/rpc/peer.ts";
import { addService } from "../../src/edge/rpc/service-definition.ts";
import { MeshEvents } from "../../src/edge/telemetry/mesh-events.ts";
import {
  IstioCertificateResponseSchema,
  IstioCertificateService,
  type IstioCertificateRequest,
} from "../../src/gen/istio/v1/auth/ca_pb.ts";
import {
  MeshService as MeshServiceSchema,
  SignBatchResponseSchema,
  type ConnectRequest,
  type ConnectResponse,
  type SignBatchEntry,
  type SignBatchRequest,
  type SignBatchResponse,
} from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { makeAuthority, type TestAuthority } from "./authority.ts";
import { CaPort, signTestLeaf } from "./ca-port.ts";

export const NODE_ID = "spiffe://cluster.local/ns/mesh/sa/node-agent";

/** How one entry is answered, in place of what its token deserves. */
type EntryAnswer =
  | { readonly code: number; readonly retryAfterMs?: number }
  | { readonly certOf: string; readonly says?: string }
  | { readonly empty: true };

type MeshCall = ServerDuplexStream<ConnectRequest, ConnectResponse>;
type BatchCall = ServerUnaryCall<SignBatchRequest, SignBatchResponse>;

export class NodeCa implements AsyncDisposable {
  authority: TestAuthority;
  /** Of each reply, beside the authority's own. */
  otherRoots: readonly Uint8Array[] = [];
  readonly roll: Roll = new Roll({
    proxiesMax: 20_000,
    proxiesPerIdentityMax: 5_000,
    proxiesPerReporterMax: 8,
    subscriptionsPerProxyMax: 64,
  });
  /** Who is believed: by token, the identity and until when. */
  readonly believed: Map<string, { readonly id: string; readonly expiresAtMs: number }> = new Map();
  /** In place of what tokens deserve. */
  readonly answers: Map<string, EntryAnswer> = new Map();
  readonly batches: (readonly SignBatchEntry[])[] = [];
  readonly batchPeers: string[] = [];
  /** As the agent calls itself. */
  readonly batchAgents: string[] = [];
  readonly events: { readonly event: string; readonly [field: string]: unknown }[] = [];
  /** How whole batches end, first come first; `omit` leaves the last result out. */
  readonly script: ({ readonly code: number } | "omit")[] = [];
  /** By identity; else a minute. */
  readonly ttlSeconds: Map<string, number> = new Map();
  /** Of the node agent's own certificates. */
  nodeId: string = NODE_ID;
  bundle: TrustBundle;
  isNodeAgent: (id: SpiffeId) => boolean = (id) => id.toString() === NODE_ID;
  readonly #calls = new Set<MeshCall>();
  readonly #port: CaPort;

  private constructor(authority: TestAuthority) {
    this.authority = authority;
    this.bundle = authority.bundle;
    this.#port = new CaPort(authority);
  }

  static async start(): Promise<NodeCa> {
    const ca = new NodeCa(await makeAuthority("p256", Date.now()));
    await ca.open();
    return ca;
  }

  get address(): string {
    return this.#port.address;
  }

  get rootPem(): string {
    return encodePem(this.authority.root, "CERTIFICATE");
  }

  /** How often a token was asked about. */
  asked(token: string): number {
    return this.batches.flat().filter((entry) => entry.token === token).length;
  }

  /** @returns a token that is believed to be of `shop/NAME` */
  token(name: string, lifeMs = 600_000): string {
    const token = `token-${name}-${randomBytes(8).toString("hex")}`;
    const id = `spiffe://cluster.local/ns/shop/sa/${name}`;
    this.believed.set(token, { id, expiresAtMs: Date.now() + lifeMs });
    return token;
  }

  /** @param serials lower-case hex */
  renew(...serials: readonly string[]): void {
    const message = encodeRenewCertificates(serials.map((each) => Buffer.from(each, "hex")));
    for (const call of this.#calls) call.write(message);
  }

  push(bundle: TrustBundle): void {
    this.bundle = bundle;
    for (const call of this.#calls) call.write(encodeBundle(bundle));
  }

  /** On the same port again after `close`. */
  async open(): Promise<void> {
    const grpc = createNetworkServer({
      requestTimeoutMs: 10_000,
      endless: ["/portcullis.mesh.v1.MeshService/Connect"],
    });
    addService(grpc, IstioCertificateService, {
      createCertificate: (
        { request }: ServerUnaryCall<IstioCertificateRequest, object>,
        reply: sendUnaryData<object>,
      ) => {
        const certChain = this.#chain(request.csr, this.nodeId);
        reply(null, create(IstioCertificateResponseSchema, { certChain }));
      },
    });
    const mesh = this.#meshService();
    addService(grpc, MeshServiceSchema, {
      connect: (call: MeshCall) => {
        this.#calls.add(call);
        call.on("close", () => this.#calls.delete(call));
        mesh.connect(call);
      },
      signBatch: (call: BatchCall, reply: sendUnaryData<SignBatchResponse>) =>
        this.#signBatch(call, reply),
    });
    await this.#port.open(grpc);
  }

  /** At once, streams and all. */
  close(): void {
    this.#port.close();
    this.#calls.clear();
  }

  /** Is another authority's from now on: what it signs, and its own certificate. */
  async restart(authority: TestAuthority): Promise<void> {
    this.close();
    this.authority = authority;
    this.#port.authority = authority;
    await this.open();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #meshService(): MeshService {
    const log = pino({}, { write: (text) => void this.events.push(JSON.parse(text)) });
    return new MeshService({
      roll: this.roll,
      events: new MeshEvents(log, { nacks: { inc: () => {} } } as never),
      bundle: () => this.bundle,
      podOf: () => undefined,
      nameOf: (_, claimed) => claimed,
      assertNotDenied: () => {},
      farewell: { take: async () => undefined, gone: () => {} },
      isDistrusted: () => false,
      sawSkew: () => {},
      newestNotAfterMs: () => 0,
      nowMs: Date.now,
      streamsMax: 100,
      nodeAgents: {
        isNodeAgent: (id) => this.isNodeAgent(id),
        authenticate: (token, nowMs) => this.#authenticate(token, nowMs),
        refreshKeys: async () => {},
      },
    });
  }

  #authenticate(token: string, nowMs: number): Caller {
    const found = this.believed.get(token);
    if (found === undefined || nowMs >= found.expiresAtMs) {
      throw new AuthnError("token-signature", "scripted");
    }
    const { id, expiresAtMs } = found;
    return { id: SpiffeId.parse(id), expiresAtMs, evidence: { method: "jwt", issuer: "test" } };
  }

  #signBatch(call: BatchCall, reply: sendUnaryData<SignBatchResponse>): void {
    const { entries } = call.request;
    this.batches.push(entries);
    this.batchAgents.push(String(call.metadata.get("portcullis-agent-id")[0]));
    this.batchPeers.push(authenticatedPeer(call.getAuthContext()).serialHex);
    const end = this.script.shift();
    if (end !== undefined && end !== "omit") return reply({ code: end.code, details: "scripted" });
    const results = entries.map((entry) => ({ result: this.#resultOf(entry) }));
    if (end === "omit") results.pop();
    reply(null, create(SignBatchResponseSchema, { results }));
  }

  #resultOf({ token, csr }: SignBatchEntry) {
    const answer = this.answers.get(token);
    const found = this.believed.get(token);
    if (answer !== undefined && "empty" in answer) return { case: undefined };
    if (answer !== undefined && "code" in answer) {
      const retryAfterMs = BigInt(answer.retryAfterMs ?? 0);
      const value = { code: answer.code, message: "scripted", retryAfterMs };
      return { case: "refusal" as const, value };
    }
    if (found === undefined || Date.now() >= found.expiresAtMs) {
      const value = { code: status.UNAUTHENTICATED, message: "request authenticate failure" };
      return { case: "refusal" as const, value };
    }
    const certOf = answer?.certOf ?? found.id;
    const value = {
      certChain: this.#chain(csr, certOf),
      spiffeId: answer?.says ?? found.id,
      tokenExpiresAt: timestampFromMs(found.expiresAtMs),
    };
    return { case: "certificate" as const, value };
  }

  #chain(csr: string, uri: string): string[] {
    const ttlSeconds = this.ttlSeconds.get(uri) ?? 60;
    const leaf = { publicKey: proveKey(csr), uris: [uri], ttlSeconds };
    const roots = this.rootPem + encodeCertificates(this.otherRoots);
    return [signTestLeaf(this.authority, leaf), roots];
  }
}
