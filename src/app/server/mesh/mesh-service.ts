/**
 * `portcullis.mesh.v1`: each agent's stream gets the trust bundle and every new one, and brings evidence into the roll.
 * `mesh-admission.ts` says who may open one, `mesh-intake.ts` what comes of what it says.
 */

import { status } from "@grpc/grpc-js";
import type { Reporter } from "../../../core/roll/evidence.ts";
import type { Roll } from "../../../core/roll/roll.ts";
import type { SpiffeId } from "../../../core/spiffe/id.ts";
import type { TrustBundle } from "../../../core/spiffe/trust-bundle.ts";
import { encodeRenewCertificates } from "../../../edge/rpc/mesh-messages.ts";
import type { MeshEvents } from "../../../edge/telemetry/mesh-events.ts";
import type { ConnectRequest } from "../../../gen/portcullis/mesh/v1/mesh_pb.ts";
import type { AgentNames } from "./agent-names.ts";
import { BundlePublisher } from "./bundle-publisher.ts";
import type { IsDistrusted } from "./distrust.ts";
import { HeldLeaves } from "./held-leaves.ts";
import type { LogWitnessing } from "../log/log-witnessing.ts";
import { MeshAdmission, type StreamRefusal } from "./mesh-admission.ts";
import { MeshIntake, type Farewell } from "./mesh-intake.ts";
import { MeshSessions, type MeshCall, type Session } from "./mesh-session.ts";
import { MeshWelcome } from "./mesh-welcome.ts";
import { SessionTimers } from "./session-timers.ts";
import type { ConnectionIntake } from "../evidence/connection-intake.ts";
import type { PolicyControl } from "../policy/policy-control.ts";
import type { CanaryControl } from "../rotation/canary-control.ts";
import { SpokenFor, type NodeAgents } from "./spoken-for.ts";

export interface MeshDependencies {
  readonly roll: Roll;
  readonly events: MeshEvents;
  readonly bundle: () => TrustBundle;
  /** What an agent is called that calls itself so. */
  readonly nameOf: AgentNames["nameOf"];
  /** The pod that a certificate was issued to, while the server still knows. */
  readonly podOf: (serialHex: string) => string | undefined;
  /** @throws DeniedError that the peer may read */
  readonly assertNotDenied: (identity: string, serialHex: string) => void;
  readonly farewell: Farewell;
  readonly isDistrusted: IsDistrusted;
  /** How far an agent's clock is off. */
  readonly sawSkew: (differenceMs: number) => void;
  /** When the last certificate ends that an identity was given; 0 for none. */
  readonly newestNotAfterMs: (spiffeId: string) => number;
  readonly nowMs: () => number;
  readonly streamsMax: number;
  /** Undefined where none is configured: then every stream speaks for itself alone. */
  readonly nodeAgents?: NodeAgents;
  /** Shows the transparency log to agents that witness it; undefined without a log. */
  readonly witnessing?: LogWitnessing;
  /** What proxies are to do; undefined where nobody says. */
  readonly policy?: PolicyControl;
  /** Who calls whom; undefined where it is not recorded. */
  readonly connections?: Pick<ConnectionIntake, "take" | "intervalMs"> | undefined;
  /** Which handshakes prove that the next authority may sign; undefined where nobody asks. */
  readonly canaries?: Pick<CanaryControl, "ask" | "take" | "gone">;
}

export class MeshService {
  readonly #dependencies: MeshDependencies;
  readonly #sessions = new MeshSessions();
  readonly #admission: MeshAdmission;
  readonly #publisher: BundlePublisher;
  readonly #intake: MeshIntake;

  constructor(dependencies: MeshDependencies) {
    this.#dependencies = dependencies;
    const sessions = this.#sessions;
    const trustDomain = () => dependencies.bundle().trustDomain;
    this.#admission = new MeshAdmission({ ...dependencies, trustDomain });
    this.#publisher = new BundlePublisher(dependencies.bundle, sessions);
    const welcome = new MeshWelcome({ ...dependencies, sessions, publisher: this.#publisher });
    const isNodeAgent = (id: SpiffeId) => this.#isNodeAgent(id);
    this.#intake = new MeshIntake({ ...dependencies, sessions, welcome, isNodeAgent });
  }

  get agentsConnected(): number {
    return this.#sessions.size;
  }

  /** Those that have said Hello. */
  sessions(): IterableIterator<Session> {
    return this.#sessions.speaking();
  }

  /** The one that speaks for an agent. */
  session(reporter: Reporter): Session | undefined {
    return this.#sessions.of(reporter);
  }

  /** The bundle has changed: everybody who has said Hello gets it. */
  publishBundle(): void {
    this.#publisher.publish();
  }

  /** Asks for new certificates in the place of these. */
  renew({ call }: Session, serials: readonly Uint8Array[]): void {
    // Whoever has gone comes back with another stream; whoever does not read is asked again, as anybody who does not answer.
    if (call.writable && !call.writableNeedDrain) call.write(encodeRenewCertificates(serials));
  }

  /** The deny list has changed: who is denied now is heard no more, and gets no bundle. */
  endDenied(): void {
    for (const { peer, call } of this.#sessions.open()) {
      const denied = this.#admission.denied(peer);
      if (denied !== undefined) this.#end(call, denied);
    }
  }

  /**
   * Trust has changed. Streams under a root that was taken away stay, so that their agents can be asked to renew; what they
   * have said counts no more.
   */
  forgetDistrusted(): void {
    const { roll, isDistrusted, nowMs } = this.#dependencies;
    for (const { reporter, peer } of this.#sessions.speaking()) {
      if (reporter !== undefined && isDistrusted(peer)) {
        roll.disconnected(reporter, nowMs());
      }
    }
  }

  /** For the shutdown: agents come back to whoever is here then. */
  endStreams(): void {
    for (const { call } of this.#sessions.speaking()) {
      call.emit("error", { code: status.UNAVAILABLE, details: "the server is going away" });
    }
  }

  /** The handler of `MeshService/Connect`. */
  connect(call: MeshCall): void {
    call.on("error", () => {});
    const admitted = this.#admission.admit(call.getAuthContext());
    if ("refusal" in admitted) return this.#end(call, admitted.refusal);
    const { peer } = admitted;
    const spokenFor = this.#spokenFor(peer.id);
    const held = new HeldLeaves(spokenFor !== undefined);
    const session: Session = { call, peer, spokenFor, held };
    this.#sessions.add(session);
    const leftMs = peer.notAfterMs - this.#dependencies.nowMs();
    const timers = new SessionTimers(leftMs, (refusal) => this.#end(call, refusal));
    call.on("data", (request: ConnectRequest) => {
      timers.heard();
      const refusal = this.#intake.receive(session, request);
      if (refusal !== undefined) this.#end(call, refusal);
    });
    let isOpen = true;
    const close = (): void => {
      timers[Symbol.dispose]();
      if (isOpen) this.#closed(session);
      isOpen = false;
    };
    call.on("cancelled", close);
    call.on("close", close);
    call.on("end", () => {
      close();
      call.end();
    });
  }

  #spokenFor(id: SpiffeId): SpokenFor | undefined {
    const { nodeAgents } = this.#dependencies;
    return nodeAgents && this.#isNodeAgent(id) ? new SpokenFor(nodeAgents) : undefined;
  }

  #isNodeAgent(id: SpiffeId): boolean {
    return this.#dependencies.nodeAgents?.isNodeAgent(id) === true;
  }

  #closed(session: Session): void {
    const { roll, events, witnessing, policy, nowMs } = this.#dependencies;
    const spoke = this.#sessions.remove(session);
    this.#admission.release(session.peer);
    if (session.witness !== undefined) witnessing?.end(session.witness);
    policy?.closed(session);
    if (!spoke || session.reporter === undefined) return;
    roll.disconnected(session.reporter, nowMs());
    events.agentDisconnected(session.reporter);
  }

  #end(call: MeshCall, { code, details, error }: StreamRefusal): void {
    this.#dependencies.events.streamRefused(call.getPeer(), details, error);
    call.emit("error", { code, details });
  }
}
