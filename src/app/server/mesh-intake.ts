/**
 * What a stream says, message by message: one Hello, and then whatever it may say. Evidence counts for the identity of the
 * stream's certificate only, and only while that certificate is valid.
 */

import { status } from "@grpc/grpc-js";
import { PortcullisError } from "../../core/error.ts";
import type { EvidenceReport, Reporter } from "../../core/roll/evidence.ts";
import type { LeavingAgent } from "../../core/roll/leaf-owners.ts";
import { RollError } from "../../core/roll/roll-limits.ts";
import type { Roll } from "../../core/roll/roll.ts";
import type { SpiffeId } from "../../core/spiffe/id.ts";
import { parseLogAlarm } from "../../edge/rpc/log-messages.ts";
import { encodeReportAck, parseHeldLeaves, parseReport } from "../../edge/rpc/mesh-messages.ts";
import type { MeshEvents } from "../../edge/telemetry/mesh-events.ts";
import type { ConnectRequest } from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { takeNodeReport, takeWorkloadReport } from "./evidence-intake.ts";
import type { LogWitnessing } from "./log-witnessing.ts";
import type { StreamRefusal } from "./mesh-admission.ts";
import type { MeshSessions, Session } from "./mesh-session.ts";
import type { MeshWelcome } from "./mesh-welcome.ts";

type Message = ConnectRequest["message"];

export interface Farewell {
  /** The agent's keys are destroyed. @returns its index in the log, if it counts. Never rejects. */
  readonly take: (agent: LeavingAgent, serialHex: string) => Promise<number | undefined>;
  /** It is durable, and nothing of the agent is waited for any more. */
  readonly gone: (agent: LeavingAgent, index: number) => void;
}

export interface MeshIntakeDependencies {
  readonly roll: Roll;
  readonly events: MeshEvents;
  readonly sessions: MeshSessions;
  readonly welcome: MeshWelcome;
  readonly isNodeAgent: (id: SpiffeId) => boolean;
  readonly isDistrusted: (authority: string) => boolean;
  readonly witnessing?: LogWitnessing;
  readonly farewell: Farewell;
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

export class MeshIntake {
  readonly #dependencies: MeshIntakeDependencies;

  constructor(dependencies: MeshIntakeDependencies) {
    this.#dependencies = dependencies;
  }

  /** @returns why the stream ends, if it does */
  receive(session: Session, { message }: ConnectRequest): StreamRefusal | undefined {
    const { peer, spokenFor } = session;
    const { nowMs, isNodeAgent } = this.#dependencies;
    // A timer alone would let evidence in after the machine was suspended.
    if (nowMs() >= peer.notAfterMs) return expired;
    if (spokenFor !== undefined && !isNodeAgent(peer.id)) {
      return { code: status.PERMISSION_DENIED, details: "no longer a node agent of this mesh" };
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
      case "inclusion":
      case "logAlarm":
        return this.#takeWitness(session, message);
      default:
        return unexpected;
    }
  }

  #takeTokens(
    { spokenFor }: Session,
    reporter: Reporter,
    tokens: readonly string[],
  ): StreamRefusal | undefined {
    if (spokenFor === undefined) {
      const details = "expected no tokens: only a configured node agent speaks for others";
      return { code: status.INVALID_ARGUMENT, details };
    }
    const { events, nowMs } = this.#dependencies;
    for (const error of spokenFor.take(tokens, nowMs())) {
      // A thousand tokens of an issuer that is away have one thing to say.
      if (spokenFor.isNews(String(error))) events.workloadTokenRefused(reporter, error);
    }
    return undefined;
  }

  #takeReport(session: Session, reporter: Reporter, report: EvidenceReport): undefined {
    if (!this.#isHeard(session)) return;
    const { call, spokenFor } = session;
    let unproven: readonly string[] = [];
    if (spokenFor === undefined) takeWorkloadReport(this.#dependencies, reporter, report);
    else unproven = takeNodeReport(this.#dependencies, reporter, report, spokenFor);
    if (call.write(encodeReportAck(report.sequence, unproven))) return;
    // Whoever does not read its answers is not heard, either.
    call.pause();
    call.once("drain", () => call.resume());
  }

  #isHeard(session: Session): boolean {
    const { sessions, isDistrusted } = this.#dependencies;
    return sessions.isSpeaking(session) && !isDistrusted(session.peer.authority);
  }

  /** Its last message: the stream is closed when the goodbye is durable. */
  #takeGoodbye(session: Session, reporter: Reporter): undefined {
    const { sessions, farewell } = this.#dependencies;
    const { call, peer, spokenFor } = session;
    if (session.isLeaving === true || !this.#isHeard(session)) return;
    session.isLeaving = true;
    const agent = { ...reporter, isNodeAgent: spokenFor !== undefined };
    void farewell.take(agent, peer.serialHex).then((index) => {
      // It has come back before it was gone.
      if (index !== undefined && !sessions.isReplaced(session)) farewell.gone(agent, index);
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
