/**
 * A control plane that does what a test tells it to: it refuses, lies, is silent, and remembers
 * what it was asked.
 */

import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  status,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
} from "@grpc/grpc-js";
import { proveKey } from "../../src/core/issuance/workload.ts";
import type { ConnectionReport } from "../../src/core/evidence/connection.ts";
import type { PolicyReport } from "../../src/core/policy/policy-report.ts";
import type { EvidenceReport, HeldLeavesReport } from "../../src/core/roll/evidence.ts";
import type { TrustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import { encodeCertificates, encodePem } from "../../src/core/x509/pem.ts";
import type { PublicKey } from "../../src/core/x509/public-key.ts";
import {
  encodeCollectConnections,
  encodeConnectionAck,
  parseConnectionReport,
} from "../../src/edge/rpc/connection-messages.ts";
import { createLocalServer } from "../../src/edge/rpc/grpc-server.ts";
import { parsePolicyReport } from "../../src/edge/rpc/policy-report-messages.ts";
import {
  encodePolicySnapshots,
  type PolicyAssignment,
} from "../../src/edge/rpc/policy-snapshot-messages.ts";
import { encodeReportAck } from "../../src/edge/rpc/report-ack.ts";
import { addService, type EncodedMessage } from "../../src/edge/rpc/service-definition.ts";
import {
  encodeBundle,
  encodeRenewCertificates,
  parseHeldLeaves,
  parseReport,
} from "../../src/edge/rpc/mesh-messages.ts";
import {
  IstioCertificateResponseSchema,
  IstioCertificateService,
  type IstioCertificateRequest,
} from "../../src/gen/istio/v1/auth/ca_pb.ts";
import {
  MeshService,
  type ConnectRequest,
  type ConnectResponse,
} from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { makeAuthority, TEST_TRUST_DOMAIN, type TestAuthority } from "./authority.ts";
import { CaPort, signTestLeaf } from "./ca-port.ts";

export interface CaRequest {
  readonly atMs: number;
  readonly authorization: string;
  /** As the agent calls itself. */
  readonly agentId: string;
  readonly publicKey: PublicKey;
}

/** What to answer with: a chain, or a gRPC status. */
export type CaAnswer = readonly string[] | { readonly code: number };

type MeshCall = ServerDuplexStream<ConnectRequest, ConnectResponse | EncodedMessage>;

export class ScriptedCa implements AsyncDisposable {
  /** Signs from now on; a port has that of its opening until `reopen`. */
  authority: TestAuthority;
  readonly requests: CaRequest[] = [];
  readonly hellos: bigint[] = [];
  readonly helloTimesMs: number[] = [];
  readonly reports: EvidenceReport[] = [];
  readonly leaves: HeldLeavesReport[] = [];
  readonly policies: PolicyReport[] = [];
  /** Each Hello that asks for policy gets an empty snapshot; else this server is one that knows none. */
  knowsPolicy = false;
  /** How often it asks to be told of connections; undefined: it knows nothing of them. */
  collectMs: number | undefined;
  readonly connections: ConnectionReport[] = [];
  /** What becomes of the next reports of connections, first come first; whatever is left over is kept. */
  readonly connectionScript: ("unanswered" | "unproven" | "refused")[] = [];
  goodbyes = 0;
  /** Goodbyes are not answered. */
  isDeaf = false;
  /** Answers for the next requests, first come first; whatever is left over is signed. */
  readonly script: ((request: CaRequest) => CaAnswer)[] = [];
  ttlSeconds = 60;
  spiffeId = `spiffe://${TEST_TRUST_DOMAIN.name}/ns/shop/sa/cart`;
  /** What each mesh stream begins with; none refuses streams. */
  bundle: TrustBundle | undefined;
  readonly #streams = new Set<MeshCall>();
  readonly #port: CaPort;
  /** In the last element of each reply. */
  #roots: readonly Uint8Array[];

  private constructor(authority: TestAuthority) {
    this.authority = authority;
    this.bundle = authority.bundle;
    this.#roots = authority.bundle.roots;
    this.#port = new CaPort(authority);
  }

  static async start(): Promise<ScriptedCa> {
    const ca = new ScriptedCa(await makeAuthority("p256", Date.now()));
    await ca.open();
    return ca;
  }

  get address(): string {
    return this.#port.address;
  }

  /** Of the authority that signs. */
  get rootPem(): string {
    return encodePem(this.authority.root, "CERTIFICATE");
  }

  get meshStreams(): number {
    return this.#streams.size;
  }

  /** On the same port again after `close`. */
  async open(): Promise<void> {
    const grpc = createLocalServer();
    addService(grpc, IstioCertificateService, {
      createCertificate: (
        call: ServerUnaryCall<IstioCertificateRequest, object>,
        reply: sendUnaryData<object>,
      ) => {
        const request = {
          atMs: Date.now(),
          authorization: String(call.metadata.get("authorization")[0]),
          agentId: String(call.metadata.get("portcullis-agent-id")[0]),
          publicKey: proveKey(call.request.csr),
        };
        this.requests.push(request);
        const answer = this.script.shift()?.(request) ?? this.sign(request.publicKey);
        if ("code" in answer) reply({ code: answer.code, details: "scripted" });
        else reply(null, create(IstioCertificateResponseSchema, { certChain: [...answer] }));
      },
    });
    addService(grpc, MeshService, { connect: (call: MeshCall) => this.#connect(call) });
    await this.#port.open(grpc);
  }

  /** At once, streams and all. */
  close(): void {
    this.#port.close();
    this.#streams.clear();
  }

  /** As an honest CA would: the leaf, and the roots as the last element. */
  sign(publicKey: PublicKey, uris: readonly string[] = [this.spiffeId]): readonly string[] {
    return [this.leaf(publicKey, uris), encodeCertificates(this.#roots)];
  }

  leaf(publicKey: PublicKey, uris: readonly string[] = [this.spiffeId]): string {
    return signTestLeaf(this.authority, { publicKey, uris, ttlSeconds: this.ttlSeconds });
  }

  /** As a rotation's steps do: whom to trust, and who signs; the server's own certificate, too, when it opens the next time. */
  trust(bundle: TrustBundle, authority: TestAuthority = this.authority): void {
    this.#roots = bundle.roots;
    this.authority = authority;
    this.#port.authority = { ...authority, bundle };
    this.push(bundle);
  }

  /** @param serials lower-case hex */
  renew(...serials: readonly string[]): void {
    this.pushRaw(encodeRenewCertificates(serials.map((each) => Buffer.from(each, "hex"))));
  }

  /** To every agent that is connected, and to those that come. */
  push(bundle: TrustBundle): void {
    this.bundle = bundle;
    for (const call of this.#streams) call.write(encodeBundle(bundle));
  }

  /** To every agent that is connected. */
  assign(...assignments: readonly PolicyAssignment[]): void {
    for (const response of encodePolicySnapshots(assignments)) this.pushRaw(response);
  }

  /** Hears nothing of what is sent meanwhile. @returns what ends it */
  pause(): () => void {
    for (const call of this.#streams) call.pause();
    return () => {
      for (const call of this.#streams) call.resume();
    };
  }

  /** @param bundle is sent as it is, however wrong */
  pushRaw(bundle: ConnectResponse): void {
    for (const call of this.#streams) call.write(bundle);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #connect(call: MeshCall): void {
    const { bundle } = this;
    call.on("error", () => {});
    if (bundle === undefined) {
      call.emit("error", { code: status.UNAVAILABLE, details: "scripted" });
      return;
    }
    this.#streams.add(call);
    call.on("data", ({ message }: ConnectRequest) => {
      if (message.case === "hello") {
        this.hellos.push(message.value.bundleSequence);
        const { agentTime } = message.value;
        if (agentTime !== undefined) this.helloTimesMs.push(timestampMs(agentTime));
        call.write(encodeBundle(bundle));
        if (this.knowsPolicy && message.value.wantsPolicy) {
          for (const response of encodePolicySnapshots([])) call.write(response);
        }
        if (this.collectMs !== undefined) call.write(encodeCollectConnections(this.collectMs));
      } else if (message.case === "report") {
        const report = parseReport(message.value);
        this.reports.push(report);
        call.write(encodeReportAck(report.sequence));
      } else if (message.case === "leaves") {
        this.leaves.push(parseHeldLeaves(message.value));
      } else if (message.case === "policy") {
        this.policies.push(parsePolicyReport(message.value));
      } else if (message.case === "connections") {
        this.#takeConnections(call, parseConnectionReport(message.value));
      } else if (message.case === "goodbye") {
        this.goodbyes += 1;
        if (!this.isDeaf) call.end();
      }
    });
    const forget = (): void => void this.#streams.delete(call);
    call.on("cancelled", forget);
    call.on("close", forget);
    call.on("end", () => call.end());
  }

  #takeConnections(call: MeshCall, report: ConnectionReport): void {
    this.connections.push(report);
    const answer = this.connectionScript.shift();
    if (answer === "unanswered") return;
    if (answer === "refused") {
      call.emit("error", { code: status.INVALID_ARGUMENT, details: "scripted" });
      return;
    }
    const { runId, sequence, proxies } = report;
    const all = proxies.flatMap(({ spiffeId }) => spiffeId ?? []);
    const unproven = answer === "unproven" ? all : [];
    call.write(encodeConnectionAck({ runId, sequence, unproven }));
  }
}
