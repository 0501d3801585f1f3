/**
 * The agent as a witness of the server's log: it keeps the newest checkpoint, takes a newer one only with a proof, and looks
 * for its own certificates. What contradicts is told to the operator and to the server; the agent goes on serving.
 */

import { LogError } from "../../core/log/log-error.ts";
import { logOrigin } from "../../core/log/checkpoint.ts";
import { verifyOwnLeaf } from "../../core/log/own-leaf.ts";
import {
  decideWitness,
  type LogAlarm,
  type LogAlarmKind,
  type WitnessState,
} from "../../core/log/witness.ts";
import {
  encodeInclusionRequest,
  encodeLogAlarm,
  parseLogProof,
  type LeafAnswer,
  type ShownLog,
} from "../../edge/rpc/log-messages.ts";
import { MeshMessageError } from "../../edge/rpc/mesh-fields.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import type { ConnectRequest, LogProof } from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { WitnessLeaves, type PendingLeaf } from "./witness-leaves.ts";
import { readWitness, WitnessStore } from "./witness-store.ts";
import type { ReceivedCertificate, WorkloadSet } from "./workload-set.ts";

export interface WitnessOptions {
  readonly stateDir: string;
  readonly events: AgentEvents;
  readonly nowMs: () => number;
  /** The agent's own; undefined while there is none that is valid. */
  readonly set: () => WorkloadSet | undefined;
  /** Those that a node agent holds for its workloads. */
  readonly leaves?: () => readonly ReceivedCertificate[];
}

type Write = (message: ConnectRequest) => void;

const none = new Uint8Array();

export class LogWitness {
  readonly #options: WitnessOptions;
  readonly #store: WitnessStore;
  readonly #leaves = new WitnessLeaves();
  #state: WitnessState | undefined;
  /** The newest stream: what others still bring was proved against an older checkpoint. */
  #talk: WitnessTalk | undefined;

  private constructor(options: WitnessOptions, state: WitnessState | undefined) {
    this.#options = options;
    this.#store = new WitnessStore(options.stateDir, options.events);
    this.#state = state;
  }

  static async open(options: WitnessOptions): Promise<LogWitness> {
    return new LogWitness(options, await readWitness(options.stateDir, options.events));
  }

  /** For the Hello; "" at first contact. */
  get note(): string {
    return this.#state?.note ?? "";
  }

  /** A stream whose Hello has the note. */
  begin(write: Write): WitnessTalk {
    this.#leaves.askAll();
    this.#talk = new WitnessTalk(write);
    return this.#talk;
  }

  /** There may be new certificates. */
  certificatesChanged(): void {
    const { set, leaves, nowMs, events } = this.#options;
    const own = set();
    const held = [...(own === undefined ? [] : [own]), ...(leaves?.() ?? [])];
    for (const { leaf, serialHex } of this.#leaves.update(held, nowMs())) {
      if (this.#state !== undefined) events.leafUnproven(leaf.identity, serialHex);
    }
    if (this.#talk?.isFollowing === true) this.#ask(this.#talk);
  }

  /** What the server shows of its log. */
  take(talk: WitnessTalk, wire: LogProof): void {
    const trustDomain = this.#options.set()?.certificate.id.trustDomain.name;
    if (talk !== this.#talk || trustDomain === undefined) return;
    try {
      this.#takeShown(talk, parseLogProof(wire), logOrigin(trustDomain));
    } catch (error) {
      if (!(error instanceof MeshMessageError)) throw error;
      talk.isFollowing = false;
      this.#raise(talk, { kind: "log-invalid", message: error.message }, wire.checkpoint);
    }
  }

  #takeShown(talk: WitnessTalk, { claim, answers }: ShownLog, origin: string): void {
    const { nowMs, events } = this.#options;
    const before = this.#state;
    const decision = decideWitness(before, claim, origin, nowMs());
    talk.isFollowing = decision.kind === "accept";
    if (decision.kind === "alarm") return this.#raise(talk, decision.alarm, claim.note);
    const { state, restored } = decision;
    this.#state = state;
    if (state.note !== before?.note) this.#store.write(state);
    if (before === undefined) events.logPinned(state);
    if (restored !== undefined && before !== undefined) {
      events.logRestored(restored, before.checkpoint.size, state.checkpoint.size);
    }
    for (const answer of answers) this.#takeAnswer(talk, answer, state);
    this.certificatesChanged();
  }

  /** Resolves when all is on disk. */
  async settled(): Promise<void> {
    await this.#store.settled();
  }

  #ask(talk: WitnessTalk): void {
    const due = this.#leaves.takeDue();
    if (due.length > 0) talk.write(encodeInclusionRequest(due.map(({ leaf }) => leaf.serial)));
  }

  #takeAnswer(talk: WitnessTalk, answer: LeafAnswer, state: WitnessState): void {
    const { events, set } = this.#options;
    const pending = this.#leaves.find(answer.serial);
    if (pending === undefined) return;
    const { leaf, serialHex, receivedAtMs } = pending;
    const own = set()?.certificate.id.toString();
    // A node agent shows its workloads' tokens, and the server may not have their keys yet.
    if (answer.kind === "foreign" && leaf.identity !== own) return;
    this.#leaves.settle(pending);
    if (answer.kind !== "found") {
      if (receivedAtMs < state.sinceMs) return events.leafOlderThanLog(leaf.identity, serialHex);
      return this.#raiseLeaf(talk, pending, "the log does not have it", state);
    }
    try {
      verifyOwnLeaf(leaf, answer, state.checkpoint);
      events.leafLogged(leaf.identity, serialHex, answer.result.index);
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      this.#raiseLeaf(talk, pending, error.message, state);
    }
  }

  #raiseLeaf(talk: WitnessTalk, pending: PendingLeaf, why: string, state: WitnessState): void {
    const { leaf, serialHex } = pending;
    const message = `certificate ${serialHex} of ${leaf.identity}: ${why}`;
    this.#raise(talk, { kind: "log-leaf-missing", message }, state.note, leaf.serial);
  }

  /** Once for each kind on a stream, or for each leaf. */
  #raise(talk: WitnessTalk, alarm: LogAlarm, shown: string, serial: Uint8Array = none): void {
    if (serial.length === 0 && talk.raised.has(alarm.kind)) return;
    talk.raised.add(alarm.kind);
    const held = this.note;
    this.#options.events.logAlarm(alarm, held, shown);
    talk.write(encodeLogAlarm({ ...alarm, held, shown, serial }));
  }
}

/** One stream, as far as the log goes. */
export class WitnessTalk {
  readonly write: Write;
  readonly raised: Set<LogAlarmKind> = new Set();
  /** The server has shown its log, and it is ours: it may be asked. */
  isFollowing = false;

  constructor(write: Write) {
    this.write = write;
  }
}
