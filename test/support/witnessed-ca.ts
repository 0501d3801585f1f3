/**
 * A control plane whose transparency log is real and lies in a directory of its own, which a test may set back behind its
 * back. It signs for whoever asks, and logs what it is told to.
 */

import { create } from "@bufbuild/protobuf";
import type { sendUnaryData, ServerUnaryCall } from "@grpc/grpc-js";
import { createPublicKey, type KeyObject } from "node:crypto";
import { pino } from "pino";
import { LogAlarms } from "../../src/app/server/log/log-alarms.ts";
import { LogLeaves } from "../../src/app/server/log/log-leaves.ts";
import { LogProofs } from "../../src/app/server/log/log-proofs.ts";
import { LogWitnessing } from "../../src/app/server/log/log-witnessing.ts";
import { MeshService } from "../../src/app/server/mesh/mesh-service.ts";
import { proveKey } from "../../src/core/issuance/workload.ts";
import { noteVerifier } from "../../src/core/log/note-key.ts";
import { ownLeaf } from "../../src/core/log/own-leaf.ts";
import { Roll } from "../../src/core/roll/roll.ts";
import { encodePem, parseSinglePem } from "../../src/core/x509/pem.ts";
import type { StoredEntry } from "../../src/edge/log/log-reader.ts";
import type { LogStore } from "../../src/edge/log/log-store.ts";
import { createNetworkServer } from "../../src/edge/rpc/grpc-server.ts";
import { addService } from "../../src/edge/rpc/service-definition.ts";
import { MeshEvents } from "../../src/edge/telemetry/mesh-events.ts";
import { ServerMetrics } from "../../src/edge/telemetry/server-metrics.ts";
import {
  IstioCertificateResponseSchema,
  IstioCertificateService,
  type IstioCertificateRequest,
} from "../../src/gen/istio/v1/auth/ca_pb.ts";
import { MeshService as MeshServiceSchema } from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { makeAuthority, type TestAuthority } from "./authority.ts";
import { CaPort, signTestLeaf } from "./ca-port.ts";
import { sampleIntent, sampleResult } from "./log-entries.ts";
import { logKey, logOrigin, openStore } from "./log-store.ts";

export const WITNESS_ID = "spiffe://cluster.local/ns/shop/sa/cart";

export interface WitnessedCaOptions {
  readonly signingKey?: KeyObject;
  /** False for a server from before there was a log. */
  readonly hasLog?: boolean;
  readonly isSettled?: () => boolean;
}

interface Running {
  readonly store: LogStore;
  readonly witnessing: LogWitnessing;
  readonly alarms: LogAlarms;
  readonly metrics: ServerMetrics;
}

export class WitnessedCa implements AsyncDisposable {
  readonly authority: TestAuthority;
  readonly events: { readonly event: string; readonly [field: string]: unknown }[] = [];
  readonly restores: StoredEntry[] = [];
  /** How the next certificates are logged. */
  logs: "as they are" | "not at all" | "otherwise" = "as they are";
  #running: Running | undefined;
  readonly #port: CaPort;

  private constructor(authority: TestAuthority) {
    this.authority = authority;
    this.#port = new CaPort(authority);
  }

  static async create(): Promise<WitnessedCa> {
    return new WitnessedCa(await makeAuthority("p256", Date.now()));
  }

  get address(): string {
    return this.#port.address;
  }

  get rootPem(): string {
    return encodePem(this.authority.root, "CERTIFICATE");
  }

  get running(): Running {
    if (this.#running === undefined) throw new TypeError("it is not running");
    return this.#running;
  }

  logged(event: string): readonly { readonly [field: string]: unknown }[] {
    return this.events.filter((each) => each.event === event);
  }

  /** On the same port again after `stop`, with the log that is in the directory now. */
  async start(dataDir: string, options: WitnessedCaOptions = {}): Promise<void> {
    const { signingKey = logKey, hasLog = true, isSettled = () => true } = options;
    const store = await openStore(dataDir, { signingKey, nowMs: Date.now() });
    const log = pino({}, { write: (text) => void this.events.push(JSON.parse(text)) });
    const metrics = testMetrics();
    const events = new MeshEvents(log, metrics);
    const verifier = noteVerifier(logOrigin, createPublicKey(signingKey));
    const { reader, writer } = store;
    const alarms = new LogAlarms({ writer, events, nowMs: Date.now, onProven: () => {} });
    const proofs = new LogProofs({ reader, verifier, restores: () => this.restores });
    const witnessing = new LogWitnessing({
      proofs,
      leaves: new LogLeaves(reader),
      alarms,
      events,
      onContradiction: () => {},
      isSettled,
      roundMs: 200,
    });
    this.#running = { store, witnessing, alarms, metrics };
    const mesh = new MeshService({
      roll: new Roll(rollLimits),
      events,
      bundle: () => this.authority.bundle,
      podOf: () => undefined,
      nameOf: (_, claimed) => claimed,
      farewell: { take: async () => undefined, gone: () => {} },
      isDistrusted: () => false,
      sawSkew: () => {},
      newestNotAfterMs: () => 0,
      assertNotDenied: () => {},
      nowMs: Date.now,
      streamsMax: 100,
      ...(hasLog && { witnessing }),
    });
    const grpc = createNetworkServer({
      requestTimeoutMs: 10_000,
      endless: ["/portcullis.mesh.v1.MeshService/Connect"],
    });
    addService(grpc, IstioCertificateService, {
      createCertificate: (
        { request }: ServerUnaryCall<IstioCertificateRequest, object>,
        reply: sendUnaryData<object>,
      ) => {
        this.#sign(request.csr).then(
          (leaf) => {
            const certChain = [leaf, this.rootPem];
            reply(null, create(IstioCertificateResponseSchema, { certChain }));
          },
          (error: unknown) => reply({ code: 13, details: String(error) }),
        );
      },
    });
    addService(grpc, MeshServiceSchema, { connect: mesh.connect.bind(mesh) });
    await this.#port.open(grpc);
  }

  /** Streams and all; nobody writes to its directory then. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    this.#port.close();
    running?.witnessing[Symbol.dispose]();
    await running?.store[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#running !== undefined) await this.stop();
  }

  async #sign(csr: string): Promise<string> {
    const leafRequest = { publicKey: proveKey(csr), uris: [WITNESS_ID], ttlSeconds: 600 };
    const pem = signTestLeaf(this.authority, leafRequest);
    if (this.logs === "not at all") return pem;
    const { writer } = this.running.store;
    const leaf = ownLeaf(WITNESS_ID, parseSinglePem(pem, "CERTIFICATE"));
    const { serial, tbsDigest, keyDigest } = leaf;
    const timeMs = Date.now();
    const intent = { timeMs, identity: WITNESS_ID, serial, tbsDigest, keyDigest };
    const { firstIndex } = await writer.append([sampleIntent(intent)]);
    const isTrue = this.logs === "as they are";
    const certificateDigest = isTrue ? leaf.certificateDigest : new Uint8Array(32);
    const result = { timeMs, intentIndex: firstIndex, serial, certificateDigest };
    await writer.append([sampleResult(result)]);
    return pem;
  }
}

const rollLimits = {
  proxiesMax: 100,
  proxiesPerIdentityMax: 100,
  proxiesPerReporterMax: 8,
  subscriptionsPerProxyMax: 8,
};

/** Of a server of which nothing is measured. */
export function testMetrics(): ServerMetrics {
  return new ServerMetrics({
    rootNotAfterMs: () => 0,
    chainNotAfterMs: () => 0,
    servingNotAfterMs: () => 0,
    signerAvailable: () => true,
    logSize: () => 0,
    logWritable: () => true,
    clockGood: () => true,
    queueDepth: () => 0,
    agentsConnected: () => 0,
    proxies: () => ({ connected: 0, absent: 0 }),
    bundleSequence: () => 1,
    nowMs: Date.now,
  });
}
