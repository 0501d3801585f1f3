/**
 * One stream to the control plane, from its Hello to its end: bundles, wishes and policies come down, evidence goes up. It begins
 * with all that the agent knows, so that nothing has to be remembered about the last one.
 */

import {
  status,
  type Client,
  type ClientDuplexStream,
  type ServiceError,
  type StatusObject,
} from "@grpc/grpc-js";
import type { WorkloadCertificate } from "../../core/envoy/secret.ts";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import {
  encodeConnectionReport,
  parseCollectConnections,
  parseConnectionAck,
  type ConnectionAck,
} from "../../edge/rpc/connection-messages.ts";
import { errorDetail } from "../../edge/rpc/error-detail.ts";
import {
  encodeGoodbye,
  encodeHello,
  parseBundle,
  parseRenewCertificates,
} from "../../edge/rpc/mesh-messages.ts";
import type { ConnectRequest, ConnectResponse } from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import type { HandshakeProver } from "./canary/handshake-prover.ts";
import { HandshakeTalk } from "./canary/handshake-talk.ts";
import type { ConnectionReports, SendConnections } from "./connections/connection-reports.ts";
import { LeavesReport } from "./leaves-report.ts";
import { MeshReport, type Known } from "./mesh-report.ts";
import type { AgentPolicies } from "./policy/agent-policies.ts";
import { PolicyTalk } from "./policy/policy-talk.ts";
import { Unproven } from "./unproven.ts";
import type { LogWitness, WitnessTalk } from "./witness.ts";

export type MeshStream = ClientDuplexStream<ConnectRequest, ConnectResponse>;

export interface MeshTalkOptions {
  readonly agentId: string;
  readonly agentVersion: string;
  readonly nowMs: () => number;
  readonly random: () => number;
  readonly witness: LogWitness;
  readonly bundleSequence: bigint;
  readonly known: () => Known;
  /** What is served. */
  readonly certificates: () => readonly WorkloadCertificate[];
  readonly onBundle: (bundle: TrustBundle) => void;
  /** The server asks for new certificates in the place of these: serials, lower-case hex. */
  readonly onRenew: (serials: ReadonlySet<string>) => void;
  readonly policies: AgentPolicies;
  readonly connections: ConnectionReports;
  /** Of the stream. */
  readonly client: Client;
  readonly prover: HandshakeProver;
  /** The server has answered, and was not told anything yet. */
  readonly onOpen: () => void;
  /** It takes what it is told. */
  readonly onHeard: () => void;
}

export class MeshTalk {
  /** Resolves with the reason. */
  readonly ended: Promise<unknown>;
  readonly #stream: MeshStream;
  readonly #options: MeshTalkOptions;
  readonly #report = new MeshReport();
  readonly #leaves = new LeavesReport();
  readonly #policies: PolicyTalk;
  readonly #handshakes: HandshakeTalk;
  readonly #unproven: Unproven;
  readonly #witnessTalk: WitnessTalk;
  readonly #sendConnections: SendConnections;
  /** As it was looked at last; undefined until the server has answered. */
  #known: Known | undefined;
  #end: (reason: unknown) => void;
  /** Something that was said was not understood. */
  #isRefused = false;

  constructor(stream: MeshStream, options: MeshTalkOptions) {
    const { random, witness, agentId, agentVersion, bundleSequence, nowMs } = options;
    this.#stream = stream;
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.ended = promise;
    this.#end = resolve;
    this.#unproven = new Unproven(random, (spiffeIds) => {
      this.#report.forget(spiffeIds);
      this.#policies.forget(spiffeIds);
      this.update();
      connections.soon();
    });
    const { policies, known, connections } = options;
    this.#sendConnections = (report) => void stream.write(encodeConnectionReport(report));
    this.#policies = new PolicyTalk(stream, { policies, known, update: () => this.update() });
    this.#handshakes = new HandshakeTalk(stream, options);
    this.#witnessTalk = witness.begin((message) => void stream.write(message));
    stream.on("close", () => {
      this.#unproven[Symbol.dispose]();
      this.#witnessTalk.isFollowing = false;
    });
    stream.on("error", (error: ServiceError) => {
      this.#isRefused = error.code === status.INVALID_ARGUMENT;
      resolve({ code: error.code, message: errorDetail(error) });
    });
    stream.on("end", () => resolve(new Error("the server ended the stream")));
    stream.on("data", (response: ConnectResponse) => this.#take(response));
    stream.write(encodeHello(agentId, agentVersion, bundleSequence, witness.note, nowMs(), true));
  }

  /** Nothing more is taken of what it has brought. */
  close(): void {
    this.#policies.close();
    this.#options.connections.end(this.#sendConnections, this.#isRefused);
  }

  /** Tells what has changed. */
  update(): void {
    if (this.#known === undefined) return;
    const known = this.#options.known();
    this.#known = known;
    // Before its evidence: of a proxy that confirms it is known by then whether its listeners are ours.
    this.#policies.update(known);
    this.#write(this.#report.update(known));
    this.#write(this.#leaves.update(this.#options.certificates()));
    this.#handshakes.update(known);
  }

  /** Tells what has changed of policies. What proxies hold must be as it was at the last `update`. */
  updatePolicies(): void {
    if (this.#known === undefined) return;
    this.#policies.update(this.#known);
    this.#handshakes.update(this.#known);
  }

  /** The last word. The server ends the stream when it is durable. @returns whether it has done so, within the time */
  async goodbye(timeoutMs: number): Promise<boolean> {
    // After it nothing is taken, and what was not told would be missing for as long as anybody asks for it.
    await this.#options.connections.finish(timeoutMs / 2);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), timeoutMs);
    this.#stream.on("status", ({ code }: StatusObject) => resolve(code === status.OK));
    this.#write([encodeGoodbye()]);
    const isTaken = await promise;
    clearTimeout(timer);
    return isTaken;
  }

  #take(response: ConnectResponse): void {
    if (this.#known === undefined) {
      this.#options.onOpen();
      this.#handshakes.begin();
      this.#known = this.#options.known();
      this.#write(this.#report.begin(this.#known));
      this.#write(this.#leaves.update(this.#options.certificates()));
    }
    try {
      this.#receive(response);
    } catch (error) {
      this.#end(error);
    }
  }

  /** @throws SpiffeIdError, TypeError for a bundle that is none; MeshMessageError */
  #receive({ message }: ConnectResponse): void {
    const { onBundle, onRenew, onHeard, witness, connections } = this.#options;
    switch (message.case) {
      case "bundle":
        return onBundle(parseBundle(message.value));
      case "renew":
        return onRenew(new Set(parseRenewCertificates(message.value)));
      case "reportAck":
        // Not before: a server that refuses the reports would be dialled again and again at once.
        onHeard();
        return this.#unproven.add(message.value.unproven);
      case "policy":
        return this.#policies.take(message.value);
      case "prove":
        this.#handshakes.take(message.value);
        return this.update();
      case "collect":
        return connections.begin(this.#sendConnections, parseCollectConnections(message.value));
      case "connectionsAck":
        return this.#takeConnectionAck(parseConnectionAck(message.value));
      case "logProof":
        return witness.take(this.#witnessTalk, message.value);
      case undefined:
        // Of a newer server: nothing that is meant for us.
        return undefined;
    }
  }

  #takeConnectionAck(ack: ConnectionAck): void {
    this.#options.connections.acknowledged(ack);
    this.#unproven.add(ack.unproven);
  }

  #write(messages: readonly ConnectRequest[]): void {
    for (const message of messages) this.#stream.write(message);
  }
}
