/** One agent's stream, and those that are open: the newest of an agent speaks, and the others are on their way out. */

import { status, type ServerDuplexStream } from "@grpc/grpc-js";
import type { Reporter } from "../../../core/roll/evidence.ts";
import type { Peer } from "../../../edge/rpc/peer.ts";
import type { EncodedMessage } from "../../../edge/rpc/service-definition.ts";
import type { ConnectRequest, ConnectResponse } from "../../../gen/portcullis/mesh/v1/mesh_pb.ts";
import type { HeldLeaves } from "./held-leaves.ts";
import type { WitnessStream } from "../log/log-witnessing.ts";
import type { SpokenFor } from "./spoken-for.ts";

export type MeshCall = ServerDuplexStream<ConnectRequest, ConnectResponse | EncodedMessage>;

export interface Session {
  readonly call: MeshCall;
  readonly peer: Peer;
  /** Whom else it may speak for; undefined unless it is a node agent's. */
  readonly spokenFor: SpokenFor | undefined;
  readonly held: HeldLeaves;
  /** From its Hello on. */
  reporter?: Reporter;
  /** From its Hello on: as it says. */
  agentVersion?: string;
  /** From its Hello on, if it witnesses the log. */
  witness?: WitnessStream;
  /** Of the bundle that it was sent last. */
  bundleSequence?: bigint;
  /** It is the one that speaks for its agent. Asked at each report: a look-up by the name of the agent was seen to cost 1.5 us. */
  isSpeaking?: boolean;
  /** Its Hello asks for policy: it tells of its proxies' listeners. */
  wantsPolicy?: true;
  /** It has said Goodbye. */
  isLeaving?: true;
}

export class MeshSessions {
  /** Those that have not said Hello yet included. */
  readonly #open = new Set<Session>();
  readonly #speaking = new Map<string, Session>();

  /** How many have said Hello. */
  get size(): number {
    return this.#speaking.size;
  }

  open(): IterableIterator<Session> {
    return this.#open.values();
  }

  /** Those that have said Hello; one that begins meanwhile comes last. */
  speaking(): IterableIterator<Session> {
    return this.#speaking.values();
  }

  /** The one that speaks for an agent. */
  of(reporter: Reporter): Session | undefined {
    return this.#speaking.get(keyOf(reporter));
  }

  add(session: Session): void {
    this.#open.add(session);
  }

  /** An agent opens a stream with each certificate, and the old one may be half-open: it ends. */
  speaks(session: Session, reporter: Reporter): void {
    session.reporter = reporter;
    const key = keyOf(reporter);
    const previous = this.#speaking.get(key);
    this.#speaking.delete(key);
    this.#speaking.set(key, session);
    if (previous !== undefined) previous.isSpeaking = false;
    session.isSpeaking = true;
    const details = "the agent has a newer stream";
    previous?.call.emit("error", { code: status.ABORTED, details });
  }

  /** Whether it is the one that speaks for its agent. */
  isSpeaking({ isSpeaking }: Session): boolean {
    return isSpeaking === true;
  }

  /** Whether the agent has a newer stream. */
  isReplaced(session: Session): boolean {
    const speaking = session.reporter && this.of(session.reporter);
    return speaking !== undefined && speaking !== session;
  }

  /** @returns whether it was the one that spoke */
  remove(session: Session): boolean {
    this.#open.delete(session);
    const spoke = this.isSpeaking(session);
    if (spoke && session.reporter !== undefined) this.#speaking.delete(keyOf(session.reporter));
    session.isSpeaking = false;
    return spoke;
  }
}

function keyOf({ spiffeId, agentId }: Reporter): string {
  return `${spiffeId} ${agentId}`;
}
