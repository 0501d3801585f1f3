/**
 * Shows the log to the agents that witness it: to each at its Hello, in rounds when the log has grown, and its own
 * certificates when it asks. An agent that comes with a checkpoint of ours that this log does not go on from convicts us.
 */

import type { Checkpoint } from "../../../core/log/checkpoint.ts";
import type { Reporter } from "../../../core/roll/evidence.ts";
import { encodeLogProof, type ToldAlarm } from "../../../edge/rpc/log-messages.ts";
import type { MeshEvents } from "../../../edge/telemetry/mesh-events.ts";
import type { ConnectResponse } from "../../../gen/portcullis/mesh/v1/mesh_pb.ts";
import type { LogAlarms } from "./log-alarms.ts";
import type { Located, LogLeaves } from "./log-leaves.ts";
import type { LogProofs, OwnHead } from "./log-proofs.ts";
import { Turns } from "../turns.ts";

/** An agent's stream, as far as the log goes. */
export interface WitnessStream {
  readonly reporter: Reporter;
  readonly send: (message: ConnectResponse) => void;
  /** It has not read what it was sent. */
  readonly isSlow: () => boolean;
  readonly speaksFor: (identity: string) => boolean;
}

export interface LogWitnessingDependencies {
  readonly proofs: LogProofs;
  readonly leaves: LogLeaves;
  readonly alarms: LogAlarms;
  readonly events: MeshEvents;
  /** Told each time of a checkpoint of ours that this log does not go on from. */
  readonly onContradiction: (held: Checkpoint) => void;
  /** False after a restore, until the log says what was lost: before that, every agent would raise an alarm. */
  readonly isSettled: () => boolean;
  /** @default 30,000 */
  readonly roundMs?: number;
}

interface Witness {
  readonly stream: WitnessStream;
  /** What the agent holds, as far as it is known. */
  held: Checkpoint | undefined;
  /** The note that it came with. */
  readonly note: string;
  serials: readonly Uint8Array[];
  alarms: number;
  /** Estranged: it has another log, and is shown nothing more of this one. */
  isFollowing: boolean;
  /** `performance.now()`. */
  shownAt: number;
}

const roundMsDefault = 10_000;
const answerIntervalMs = 250;
const answersMax = 16;
const serialsMax = 1_024;
const serialBytesMax = 20;
const alarmsPerStreamMax = 8;

export class LogWitnessing implements Disposable {
  readonly #dependencies: LogWitnessingDependencies;
  readonly #witnesses = new Map<WitnessStream, Witness>();
  /** To be shown the log: with the head of a round, or the newest. */
  readonly #turns: Turns<Witness, OwnHead | undefined>;
  readonly #asking = new Set<Witness>();
  readonly #rounds: NodeJS.Timeout;
  readonly #roundMs: number;
  #answering: NodeJS.Timeout | undefined;
  #newest: OwnHead | undefined;

  constructor(dependencies: LogWitnessingDependencies) {
    this.#dependencies = dependencies;
    this.#turns = new Turns({
      work: (witness, head) => this.#show(witness, head),
      // It is read again with the next round, or when the agent comes back.
      onFailed: (error) => dependencies.events.logNotShown(error),
    });
    this.#roundMs = dependencies.roundMs ?? roundMsDefault;
    this.#rounds = setInterval(() => this.#beginRound(), this.#roundMs).unref();
  }

  /** The newest checkpoint of ours that an agent came with. */
  get newestSeen(): OwnHead | undefined {
    return this.#newest;
  }

  /** @param note that the agent holds; "" at first contact */
  begin(stream: WitnessStream, note: string): void {
    const held = this.#find(note);
    if (held !== undefined && held.size > (this.#newest?.checkpoint.size ?? -1)) {
      this.#newest = { checkpoint: held, note };
    }
    const never = -Infinity;
    const witness = {
      stream,
      held,
      note,
      serials: [],
      alarms: 0,
      isFollowing: true,
      shownAt: never,
    };
    this.#witnesses.set(stream, witness);
    this.#turns.schedule(witness, undefined);
  }

  /** More than it may ask for is passed over; it asks again. */
  ask(stream: WitnessStream, serials: readonly Uint8Array[]): void {
    const witness = this.#witnesses.get(stream);
    if (witness === undefined) return;
    const fit = serials.filter(({ length }) => length > 0 && length <= serialBytesMax);
    witness.serials = [...witness.serials, ...fit].slice(0, serialsMax);
    this.#answerLater(witness);
  }

  /** It keeps its own checkpoint, and says why. */
  takeAlarm(stream: WitnessStream, alarm: ToldAlarm): void {
    const witness = this.#witnesses.get(stream);
    if (witness === undefined || ++witness.alarms > alarmsPerStreamMax) return;
    const { alarms } = this.#dependencies;
    if (alarm.kind !== "log-leaf-missing") {
      witness.isFollowing = false;
      witness.held = this.#find(alarm.held);
    }
    alarms.raise(stream.reporter, alarm, false);
  }

  end(stream: WitnessStream): void {
    const witness = this.#witnesses.get(stream);
    if (witness === undefined) return;
    this.#witnesses.delete(stream);
    this.#turns.cancel(witness);
    this.#asking.delete(witness);
  }

  /** A restore has been recorded: everybody is shown the log, and why it is another one. */
  settled(): void {
    for (const witness of this.#witnesses.values()) {
      witness.isFollowing = true;
      this.#turns.schedule(witness, undefined);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#rounds);
    clearTimeout(this.#answering);
    this.#turns[Symbol.dispose]();
  }

  #find(note: string): Checkpoint | undefined {
    return note === "" ? undefined : this.#dependencies.proofs.find(note);
  }

  /** One head for all, so that most of the proofs are the same. */
  #beginRound(): void {
    const head = this.#newestHead();
    if (head === undefined) return;
    const recent = performance.now() - this.#roundMs / 2;
    for (const witness of this.#witnesses.values()) {
      const { isFollowing, held, stream, shownAt } = witness;
      const isBehind = (held?.size ?? -1) < head.checkpoint.size;
      if (isFollowing && isBehind && shownAt < recent && !stream.isSlow()) {
        this.#turns.schedule(witness, head);
      }
    }
  }

  #newestHead(): OwnHead | undefined {
    const { proofs, events } = this.#dependencies;
    if (this.#witnesses.size === 0) return undefined;
    try {
      return proofs.head();
    } catch (error) {
      events.logNotShown(error);
      return undefined;
    }
  }

  #answerLater(witness: Witness): void {
    this.#asking.add(witness);
    this.#answering ??= setTimeout(() => {
      this.#answering = undefined;
      for (const each of this.#asking) {
        if (each.stream.isSlow()) this.#answerLater(each);
        else this.#turns.schedule(each, undefined);
      }
    }, answerIntervalMs).unref();
  }

  #show(witness: Witness, roundHead: OwnHead | undefined): void {
    const { proofs, leaves, isSettled } = this.#dependencies;
    // `settled` brings all of them back.
    if (!isSettled()) return;
    const asked = this.#takeAsked(witness);
    if (!witness.isFollowing) return;
    const { held, stream } = witness;
    const needed = asked.map((each) => (each.kind === "located" ? each.result + 1 : 0));
    const isRound = roundHead !== undefined && asked.length === 0;
    const head = isRound ? roundHead : proofs.head(Math.max(held?.size ?? 0, ...needed));
    // It may have been shown a newer one since the round began.
    if (isRound && held !== undefined && held.size >= head.checkpoint.size) return;
    const { contradiction, ...claim } = proofs.claim(held, head);
    const answers = asked.map((each) => leaves.answer(each, head.checkpoint.size));
    stream.send(encodeLogProof({ claim, answers }));
    witness.shownAt = performance.now();
    if (contradiction === undefined || claim.restored !== undefined) {
      witness.held = head.checkpoint;
      return;
    }
    witness.isFollowing = false;
    this.#convict(witness, contradiction, head);
  }

  /** As many as are answered at once; the others later. */
  #takeAsked(witness: Witness): Located[] {
    const { serials, stream, isFollowing } = witness;
    this.#asking.delete(witness);
    witness.serials = isFollowing ? serials.slice(answersMax) : [];
    if (witness.serials.length > 0) this.#answerLater(witness);
    return serials
      .slice(0, answersMax)
      .map((serial) => this.#dependencies.leaves.locate(serial, stream.speaksFor));
  }

  #convict(
    { stream, note, held }: Witness,
    kind: "log-rollback" | "log-fork",
    head: OwnHead,
  ): void {
    const message =
      "an agent holds a checkpoint of this log's key that this log does not go on from";
    const serial = new Uint8Array();
    const alarm = { kind, message, held: note, shown: head.note, serial };
    this.#dependencies.alarms.raise(stream.reporter, alarm, true);
    if (held !== undefined) this.#dependencies.onContradiction(held);
  }
}
