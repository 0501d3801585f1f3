/**
 * Streams on which agents tell of connections: one report at a time is open on each, until it is acknowledged or could not be kept; and how
 * often each agent is asked to tell.
 */

import type { ConnectionReport } from "../../../core/evidence/connection.ts";
import {
  encodeCollectConnections,
  encodeConnectionAck,
  type ConnectionAck,
} from "../../../edge/rpc/connection-messages.ts";
import { MeshMessageError } from "../../../edge/rpc/mesh-fields.ts";
import type { Session } from "../mesh/mesh-session.ts";

type Turn = Pick<ConnectionReport, "runId" | "sequence">;

/** Of what is not new in kind. */
export const intervalMs = 10_000;
/** Each report that is kept asks for so many: where a queue is full, room comes bit by bit. */
const againMax = 4;
/** Agents tell again by themselves, only later. */
const unkeptMax = 4_096;

export class ConnectionIntakeStreams {
  readonly #open = new WeakMap<Session, Turn>();
  readonly #answers = new WeakMap<Session, ConnectionAck>();
  readonly #intervals = new WeakMap<Session, number>();
  /** For whose report there was no room, the longest ago first. */
  readonly #unkept = new Set<Session>();

  /** It is being written: its agent, who was not answered for long, has told it again. @throws MeshMessageError for another one */
  isOpen(session: Session, { runId, sequence }: Turn): boolean {
    const open = this.#open.get(session);
    if (open === undefined) return false;
    if (isSame(open, { runId, sequence })) return true;
    const message = "expected the next report of connections after the last one's acknowledgement";
    throw new MeshMessageError("mesh-connections-malformed", message);
  }

  /** It has crossed with its answer, and the next one may come at once. @returns whether it was answered again */
  isAnswered(session: Session, turn: Turn): boolean {
    const answer = this.#answers.get(session);
    if (answer === undefined || !isSame(answer, turn)) return false;
    this.#answer(session, answer);
    return true;
  }

  begin(session: Session, { runId, sequence }: Turn): void {
    this.#open.set(session, { runId, sequence });
  }

  /** Its agent is not answered: it has to tell it again. @param isFull when there is room */
  unkept(session: Session, isFull: boolean): void {
    this.#open.delete(session);
    if (isFull && this.#unkept.size < unkeptMax) this.#unkept.add(session);
  }

  /** So others may be kept as well, and are asked for. */
  kept(session: Session, answer: ConnectionAck): void {
    this.#open.delete(session);
    this.#unkept.delete(session);
    this.#answers.set(session, answer);
    this.#answer(session, answer);
    for (const other of [...this.#unkept].slice(0, againMax)) {
      this.#unkept.delete(other);
      this.#ask(other, this.#intervals.get(other) ?? intervalMs);
    }
  }

  /** @param everyMs what is not new in kind; it is asked for once, and what there is comes at once */
  hurry(session: Session, everyMs: number): void {
    if ((this.#intervals.get(session) ?? intervalMs) === everyMs) return;
    this.#intervals.set(session, everyMs);
    this.#ask(session, everyMs);
  }

  #answer({ call }: Session, answer: ConnectionAck): void {
    if (call.writable) call.write(encodeConnectionAck(answer));
  }

  #ask({ call }: Session, everyMs: number): void {
    if (call.writable) call.write(encodeCollectConnections(everyMs));
  }
}

function isSame(a: Turn, b: Turn): boolean {
  return a.runId === b.runId && a.sequence === b.sequence;
}
