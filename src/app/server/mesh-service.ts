/**
 * `portcullis.mesh.v1`: each agent's stream gets the trust bundle and every new one, and brings evidence into the roll.
 * Evidence counts for the identity of the stream's certificate only, and only while that certificate is valid.
 */

import { status, type ServerDuplexStream } from "@grpc/grpc-js";
import { DeniedError } from "../../core/deny/deny-error.ts";
import { PortcullisError } from "../../core/error.ts";
import type { EvidenceReport, Reporter } from "../../core/roll/evidence.ts";
import { RollError, type Roll } from "../../core/roll/roll.ts";
import type { SpiffeId } from "../../core/spiffe/id.ts";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import type {
  ConnectRequest,
  ConnectResponse,
  Hello,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { parseLogAlarm } from "../../edge/rpc/log-messages.ts";
import { encodeBundle, encodeReportAck, parseReport } from "../../edge/rpc/mesh-messages.ts";
import { authenticatedPeer, type Peer } from "../../edge/rpc/peer.ts";
import type { MeshEvents } from "../../edge/telemetry/mesh-events.ts";
import { takeNodeReport, takeWorkloadReport } from "./evidence-intake.ts";
import type { LogWitnessing, WitnessStream } from "./log-witnessing.ts";
import { StreamPlaces } from "./stream-places.ts";
import { SpokenFor, type NodeAgents } from "./spoken-for.ts";

type MeshCall = ServerDuplexStream<ConnectRequest, ConnectResponse>;

export interface MeshDependencies {
  readonly roll: Roll;
  readonly events: MeshEvents;
  readonly bundle: () => TrustBundle;
  /** The pod that a certificate was issued to, while the server still knows. */
  readonly podOf: (serialHex: string) => string | undefined;
  /** @throws DeniedError that the peer may read */
  readonly assertNotDenied: (identity: string, serialHex: string) => void;
  readonly nowMs: () => number;
  readonly streamsMax: number;
  /** Undefined where none is configured: then every stream speaks for itself alone. */
  readonly nodeAgents?: NodeAgents;
  /** Shows the transparency log to agents that witness it; undefined without a log. */
  readonly witnessing?: LogWitnessing;
}

/** One agent's stream. */
interface Session {
  readonly call: MeshCall;
  readonly peer: Peer;
  /** Whom else it may speak for; undefined unless it is a node agent's. */
  readonly spokenFor: SpokenFor | undefined;
  /** From its Hello on. */
  reporter?: Reporter;
  /** From its Hello on, if it witnesses the log. */
  witness?: WitnessStream;
}

/** How long an agent may take to say Hello. */
const helloTimeoutMs = 5_000;
const streamsPerIdentityMax = 2_500;
const agentIdPattern = /^[\w.:/-]{1,128}$/;

export class MeshService {
  readonly #dependencies: MeshDependencies;
  readonly #streams = new Map<string, MeshCall>();
  /** Those that have not said Hello yet included. */
  readonly #sessions = new Set<Session>();
  /** Those that have not said Hello yet have one, too. */
  readonly #places: StreamPlaces;

  constructor(dependencies: MeshDependencies) {
    this.#dependencies = dependencies;
    const { streamsMax: all } = dependencies;
    this.#places = new StreamPlaces({ all, perIdentity: streamsPerIdentityMax });
  }

  get agentsConnected(): number {
    return this.#streams.size;
  }

  /** The bundle has changed: everybody who has said Hello gets it. */
  publishBundle(): void {
    const message = encodeBundle(this.#dependencies.bundle());
    for (const call of this.#streams.values()) call.write(message);
  }

  /** The deny list has changed: who is denied now is heard no more, and gets no bundle. */
  endDenied(): void {
    for (const session of this.#sessions) {
      const denied = this.#denied(session.peer);
      if (denied !== undefined) {
        this.#end(session.call, status.PERMISSION_DENIED, denied.message, denied);
      }
    }
  }

  /** For the shutdown: agents come back to whoever is here then. */
  endStreams(): void {
    for (const call of this.#streams.values()) {
      call.emit("error", { code: status.UNAVAILABLE, details: "the server is going away" });
    }
  }

  /** The handler of `MeshService/Connect`. */
  connect(call: MeshCall): void {
    const { nowMs } = this.#dependencies;
    call.on("error", () => {});
    let peer: Peer;
    try {
      peer = authenticatedPeer(call.getAuthContext());
      this.#assertOwnTrustDomain(peer);
    } catch (error) {
      return this.#end(
        call,
        status.UNAUTHENTICATED,
        "a client certificate of this mesh is needed",
        error,
      );
    }
    const denied = this.#denied(peer);
    if (denied !== undefined) {
      return this.#end(call, status.PERMISSION_DENIED, denied.message, denied);
    }
    const identity = peer.id.toString();
    if (!this.#places.take(identity)) {
      return this.#end(call, status.RESOURCE_EXHAUSTED, "too many agents: try again later");
    }
    const helloTimer = setTimeout(
      () => this.#end(call, status.DEADLINE_EXCEEDED, "expected a Hello"),
      helloTimeoutMs,
    );
    // A stream outlives no certificate: the agent comes back with its next one.
    const expiryTimer = setTimeout(
      () => this.#end(call, status.UNAUTHENTICATED, "the client certificate has expired"),
      Math.min(peer.notAfterMs - nowMs(), 2 ** 31 - 1),
    );
    const session: Session = { call, peer, spokenFor: this.#spokenFor(peer.id) };
    this.#sessions.add(session);
    let isOpen = true;
    call.on("data", (request: ConnectRequest) => {
      clearTimeout(helloTimer);
      this.#receive(session, request);
    });
    const close = (): void => {
      clearTimeout(helloTimer);
      clearTimeout(expiryTimer);
      this.#sessions.delete(session);
      if (session.reporter !== undefined) this.#closed(session.reporter, call);
      if (session.witness !== undefined) this.#dependencies.witnessing?.end(session.witness);
      if (isOpen) this.#places.release(identity);
      isOpen = false;
    };
    call.on("cancelled", close);
    call.on("close", close);
    call.on("end", () => {
      close();
      call.end();
    });
  }

  #denied({ id, serialHex }: Peer): DeniedError | undefined {
    try {
      this.#dependencies.assertNotDenied(id.toString(), serialHex);
      return undefined;
    } catch (error) {
      if (error instanceof DeniedError) return error;
      throw error;
    }
  }

  #spokenFor(id: SpiffeId): SpokenFor | undefined {
    const { nodeAgents } = this.#dependencies;
    return nodeAgents && this.#isNodeAgent(id) ? new SpokenFor(nodeAgents) : undefined;
  }

  #isNodeAgent(id: SpiffeId): boolean {
    return this.#dependencies.nodeAgents?.isNodeAgent(id) === true;
  }

  #receive(session: Session, { message }: ConnectRequest): void {
    const { call, peer, reporter } = session;
    // A timer alone would let evidence in after the machine was suspended.
    if (this.#dependencies.nowMs() >= peer.notAfterMs) {
      return this.#end(call, status.UNAUTHENTICATED, "the client certificate has expired");
    }
    if (session.spokenFor !== undefined && !this.#isNodeAgent(peer.id)) {
      return this.#end(
        session.call,
        status.PERMISSION_DENIED,
        "no longer a node agent of this mesh",
      );
    }
    try {
      if (message.case === "hello" && reporter === undefined) {
        return this.#welcome(session, message.value);
      }
      if (message.case === "report" && reporter !== undefined) {
        return this.#takeReport(session, reporter, parseReport(message.value));
      }
      if (message.case === "tokens" && reporter !== undefined) {
        return this.#takeTokens(session, reporter, message.value.tokens);
      }
      if (message.case === "inclusion" && session.witness !== undefined) {
        return this.#dependencies.witnessing?.ask(session.witness, message.value.serials);
      }
      if (message.case === "logAlarm" && session.witness !== undefined) {
        const alarm = parseLogAlarm(message.value);
        return this.#dependencies.witnessing?.takeAlarm(session.witness, alarm);
      }
      this.#end(call, status.INVALID_ARGUMENT, "expected one Hello, then reports");
    } catch (error) {
      const text = error instanceof PortcullisError ? error.message : "malformed report";
      const isFull = error instanceof RollError && error.code === "roll-full";
      const code = isFull ? status.RESOURCE_EXHAUSTED : status.INVALID_ARGUMENT;
      this.#end(call, code, text, error);
    }
  }

  #welcome(session: Session, { agentId, logCheckpoint }: Hello): void {
    const { call, peer } = session;
    if (!agentIdPattern.test(agentId)) {
      const details = "expected an agent_id of 1 to 128 word characters";
      return this.#end(call, status.INVALID_ARGUMENT, details);
    }
    const pod = this.#dependencies.podOf(peer.serialHex);
    const reporter = { agentId, spiffeId: peer.id.toString(), ...(pod !== undefined && { pod }) };
    session.reporter = reporter;
    // The newest stream speaks: an agent opens one with each certificate, and the old one may be half-open.
    const key = keyOf(reporter);
    const previous = this.#streams.get(key);
    this.#streams.set(key, call);
    previous?.emit("error", { code: status.ABORTED, details: "the agent has a newer stream" });
    this.#dependencies.events.agentConnected(reporter, call.getPeer());
    call.write(encodeBundle(this.#dependencies.bundle()));
    if (logCheckpoint !== undefined) this.#showLog(session, reporter, logCheckpoint);
  }

  #showLog(session: Session, reporter: Reporter, note: string): void {
    const { witnessing, nowMs } = this.#dependencies;
    if (witnessing === undefined) return;
    const { call, spokenFor } = session;
    session.witness = {
      reporter,
      send: (message) => void call.write(message),
      isSlow: () => call.writableNeedDrain,
      speaksFor: (id) => id === reporter.spiffeId || spokenFor?.has(id, nowMs()) === true,
    };
    witnessing.begin(session.witness, note);
  }

  #takeTokens({ call, spokenFor }: Session, reporter: Reporter, tokens: readonly string[]): void {
    if (spokenFor === undefined) {
      const details = "expected no tokens: only a configured node agent speaks for others";
      return this.#end(call, status.INVALID_ARGUMENT, details);
    }
    const { events, nowMs } = this.#dependencies;
    for (const error of spokenFor.take(tokens, nowMs())) {
      // A thousand tokens of an issuer that is away have one thing to say.
      if (spokenFor.isNews(String(error))) events.workloadTokenRefused(reporter, error);
    }
  }

  #takeReport({ call, spokenFor }: Session, reporter: Reporter, report: EvidenceReport): void {
    if (this.#streams.get(keyOf(reporter)) !== call) return;
    let unproven: readonly string[] = [];
    if (spokenFor === undefined) takeWorkloadReport(this.#dependencies, reporter, report);
    else unproven = takeNodeReport(this.#dependencies, reporter, report, spokenFor);
    if (call.write(encodeReportAck(report.sequence, unproven))) return;
    // Whoever does not read its answers is not heard, either.
    call.pause();
    call.once("drain", () => call.resume());
  }

  #closed(reporter: Reporter, call: MeshCall): void {
    const key = keyOf(reporter);
    if (this.#streams.get(key) !== call) return;
    this.#streams.delete(key);
    this.#dependencies.roll.disconnected(reporter, this.#dependencies.nowMs());
    this.#dependencies.events.agentDisconnected(reporter);
  }

  #assertOwnTrustDomain({ id }: Peer): void {
    const { trustDomain } = this.#dependencies.bundle();
    if (!id.trustDomain.equals(trustDomain)) {
      throw new PortcullisError(
        "peer-trust-domain",
        `expected a peer of ${trustDomain.name}, got ${id.toString()}`,
      );
    }
  }

  #end(call: MeshCall, code: number, details: string, error?: unknown): void {
    this.#dependencies.events.streamRefused(call.getPeer(), details, error);
    call.emit("error", { code, details });
  }
}

function keyOf({ spiffeId, agentId }: Reporter): string {
  return `${spiffeId} ${agentId}`;
}
