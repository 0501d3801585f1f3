/**
 * What a stream says, message by message: one Hello, and then whatever it may say. Evidence counts for the identity of the
 * stream's certificate only, and only while that certificate is valid.
 */

import { status } from "@grpc/grpc-js";
import { PortcullisError } from "../../../core/error.ts";
import type { PolicyReport } from "../../../core/policy/policy-report.ts";
import type { EvidenceReport, Reporter } from "../../../core/roll/evidence.ts";
import type { LeavingAgent } from "../../../core/roll/leaf-owners.ts";
import { RollError } from "../../../core/roll/roll-limits.ts";
import type { Roll } from "../../../core/roll/roll.ts";
import type { SpiffeId } from "../../../core/spiffe/id.ts";
import { parseConnectionReport } from "../../../edge/rpc/connection-messages.ts";
import { parseLogAlarm } from "../../../edge/rpc/log-messages.ts";
import { parseHandshakeReport } from "../../../edge/rpc/handshake-messages.ts";
import { parseHeldLeaves, parseReport } from "../../../edge/rpc/mesh-messages.ts";
import { parsePolicyReport } from "../../../edge/rpc/policy-report-messages.ts";
import { encodeReportAck } from "../../../edge/rpc/report-ack.ts";
import type { MeshEvents } from "../../../edge/telemetry/mesh-events.ts";
import type { ConnectRequest } from "../../../gen/portcullis/mesh/v1/mesh_pb.ts";
import type { IsDistrusted } from "./distrust.ts";
import { takeNodeReport, takeWorkloadReport } from "./evidence-intake.ts";
import type { Departure } from "./farewells.ts";
import type { LogWitnessing } from "../log/log-witnessing.ts";
import type { ConnectionIntake } from "../evidence/connection-intake.ts";
import type { PolicyControl } from "../policy/policy-control.ts";
import type { CanaryControl } from "../rotation/canary-control.ts";
import type { StreamRefusal } from "./mesh-admission.ts";
import type { MeshSessions, Session } from "./mesh-session.ts";
import type { MeshWelcome } from "./mesh-welcome.ts";

type Message = ConnectRequest["message"];

export interface Farewell {
  /** Keys are destroyed. @returns whom nobody waits for any more; undefined where it does not count. Never rejects. */
  readonly take: (departure: Departure) => Promise<readonly LeavingAgent[] | undefined>;
  /** It is durable. */
  readonly gone: (reporter: Reporter, agents: readonly LeavingAgent[]) => void;
}

export interface MeshIntakeDependencies {
  readonly roll: Roll;
  readonly events: MeshEvents;
  readonly sessions: MeshSessions;
  readonly welcome: MeshWelcome;
  readonly isNodeAgent: (id: SpiffeId) => boolean;
  readonly isDistrusted: IsDistrusted;
  readonly witnessing?: LogWitnessing;
  readonly farewell: Farewell;
  readonly policy?: Pick<PolicyControl, "take" | "proven" | "goodbye">;
  readonly connections?: Pick<ConnectionIntake, "take"> | undefined;
  readonly canaries?: Pick<CanaryControl, "take" | "gone">;
  readonly nowMs: () => number;
}

const unexpected = {
  code: status.INVALID_ARGUMENT,
  details: "expected one Hello, then reports",
} as const;
/** Also of a stream that says nothing. */
export const expired: StreamRefusal = {
  code: status.UNAUTHENTICATED,
  details: "the client certificate has expired",
};
const distrusted: StreamRefusal = {
  code: status.UNAUTHENTICATED,
  details: "the client certificate's root is not trusted any more",
};

export class MeshIntake {
  readonly #dependencies: MeshIntakeDependencies;

  constructor(dependencies: MeshIntakeDependencies) {
    this.#dependencies = dependencies;
  }

  /** @returns why the stream ends, if it does */
  receive(session: Session, { message }: ConnectRequest): StreamRefusal | undefined {
    const { peer, spokenFor } = session;
    const { nowMs, isNodeAgent, isDistrusted } = this.#dependencies;
    // A timer alone would let evidence in after the machine was suspended.
    if (nowMs() >= peer.notAfterMs) return expired;
    if (spokenFor !== undefined && !isNodeAgent(peer.id)) {
      return { code: status.PERMISSION_DENIED, details: "no longer a node agent of this mesh" };
    }
    // It may tell what is to be renewed, and nothing else: another agent could be behind its name by now.
    if (isDistrusted(peer) && message.case !== "leaves") {
      return message.case === "hello" ? distrusted : undefined;
    }
    try {
      const { reporter } = session;
      if (reporter !== undefined) return this.#take(session, reporter, message);
      if (message.case !== "hello") return unexpected;
      return this.#dependencies.welcome.greet(session, message.value);
    } catch (error) {
      const details = error instanceof PortcullisError ? error.message : "malformed message";
      const isFull = error instanceof RollError && error.code === "roll-full";
      const code = isFull ? status.RESOURCE_EXHAUSTED : status.INVALID_ARGUMENT;
      return { code, details, error };
    }
  }

  #take(session: Session, reporter: Reporter, message: Message): StreamRefusal | undefined {
    switch (message.case) {
      case "report":
        return this.#takeReport(session, reporter, parseReport(message.value));
      case "tokens":
        return this.#takeTokens(session, reporter, message.value.tokens);
      case "leaves":
        session.held.take(parseHeldLeaves(message.value), this.#dependencies.nowMs());
        return undefined;
      case "goodbye":
        return this.#takeGoodbye(session, reporter);
      case "policy":
        if (!this.#dependencies.sessions.isSpeaking(session)) return undefined;
        this.#takePolicy(session, reporter, parsePolicyReport(message.value));
        return undefined;
      case "handshake":
        if (!this.#dependencies.sessions.isSpeaking(session)) return undefined;
        this.#dependencies.canaries?.take(session, parseHandshakeReport(message.value));
        return undefined;
      case "connections":
        if (!this.#dependencies.sessions.isSpeaking(session)) return undefined;
        this.#dependencies.connections?.take(
          session,
          reporter,
          parseConnectionReport(message.value),
        );
        return undefined;
      case "inclusion":
      case "logAlarm":
        return this.#takeWitness(session, message);
      case "hello":
      case undefined:
      default:
        return unexpected;
    }
  }

  #takeTokens(
    session: Session,
    reporter: Reporter,
    tokens: readonly string[],
  ): StreamRefusal | undefined {
    const { spokenFor } = session;
    if (spokenFor === undefined) {
      const details = "expected no tokens: only a configured node agent speaks for others";
      return { code: status.INVALID_ARGUMENT, details };
    }
    const { events, nowMs } = this.#dependencies;
    for (const error of spokenFor.take(tokens, nowMs())) {
      // A thousand tokens of an issuer that is away have one thing to say.
      if (spokenFor.isNews(String(error))) events.workloadTokenRefused(reporter, error);
    }
    this.#dependencies.policy?.proven(session);
    return undefined;
  }

  #takeReport(session: Session, reporter: Reporter, report: EvidenceReport): undefined {
    if (!this.#dependencies.sessions.isSpeaking(session)) return;
    const { call, spokenFor } = session;
    let unproven: readonly string[] = [];
    if (spokenFor === undefined) takeWorkloadReport(this.#dependencies, reporter, report);
    else unproven = takeNodeReport(this.#dependencies, reporter, report, spokenFor);
    if (call.write(encodeReportAck(report.sequence, unproven))) return;
    // Whoever does not read its answers is not heard, either.
    call.pause();
    call.once("drain", () => call.resume());
  }

  #takePolicy(session: Session, reporter: Reporter, report: PolicyReport): void {
    const { policy, canaries } = this.#dependencies;
    policy?.take(session, reporter, report);
    canaries?.gone(session, report.gone);
  }

  /** Its last message: the stream is closed when the goodbye is durable. */
  #takeGoodbye(session: Session, reporter: Reporter): undefined {
    const { sessions, farewell, nowMs } = this.#dependencies;
    const { call, peer, spokenFor } = session;
    if (session.isLeaving === true || !sessions.isSpeaking(session)) return;
    session.isLeaving = true;
    const identities = spokenFor?.identities(nowMs()) ?? [];
    void farewell.take({ reporter, serialHex: peer.serialHex, identities }).then((agents) => {
      // It has come back before it was gone.
      if (agents !== undefined && !sessions.isReplaced(session)) {
        farewell.gone(reporter, agents);
        this.#dependencies.policy?.goodbye(reporter);
      }
      call.end();
    });
  }

  #takeWitness(
    { witness }: Session,
    message: Extract<Message, { case: "inclusion" | "logAlarm" }>,
  ): StreamRefusal | undefined {
    if (witness === undefined) return unexpected;
    const { witnessing } = this.#dependencies;
    if (message.case === "inclusion") witnessing?.ask(witness, message.value.serials);
    else witnessing?.takeAlarm(witness, parseLogAlarm(message.value));
    return undefined;
  }
}
