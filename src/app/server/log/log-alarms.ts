/**
 * Alarms of the log: those that agents raise, and what the server sees by itself. Each is logged and counted, the newest are
 * kept for `status`, and one of a kind gets into the log now and then, so that nobody fills it with alarms.
 */

import { hash } from "node:crypto";
import type { EventEntry } from "../../../core/log/entry.ts";
import type { Reporter } from "../../../core/roll/evidence.ts";
import type { LogWriter } from "../../../edge/log/log-writer.ts";
import type { ToldAlarm } from "../../../edge/rpc/log-messages.ts";
import type { MeshEvents } from "../../../edge/telemetry/mesh-events.ts";

export interface KeptAlarm extends ToldAlarm {
  readonly atMs: number;
  readonly reporter: Reporter;
  /** The server has seen it by itself; else it is the agent's word. */
  readonly isProven: boolean;
}

export interface LogAlarmsDependencies {
  readonly writer: Pick<LogWriter, "append">;
  readonly events: MeshEvents;
  /** The log's time, and no wall clock: no later entry can be earlier than an alarm. Unix ms. */
  readonly nowMs: () => number;
  /** Of an alarm that is proven, now and then: it must outlive the process. */
  readonly onProven: (kind: string) => void;
}

const keptMax = 128;
/** An agent's ID is its own word: who makes up new ones gets no more room by it. */
const claimsPerIdentityMax = 8;
const entryIntervalMs = 600_000;
const detailBytesMax = 4_096;

export class LogAlarms {
  readonly #dependencies: LogAlarmsDependencies;
  /** One of each agent and kind; claims never push out what is proven. */
  readonly #proven = new Map<string, KeptAlarm>();
  readonly #claims = new Map<string, KeptAlarm>();
  /** By kind, claims and those without their note apart, when the last entry was written (`performance.now()`). */
  readonly #writtenAt = new Map<string, number>();

  constructor(dependencies: LogAlarmsDependencies) {
    this.#dependencies = dependencies;
  }

  /** What is proven, then the claims; the newest of each last. */
  get kept(): readonly KeptAlarm[] {
    return [...this.#proven.values(), ...this.#claims.values()];
  }

  raise(reporter: Reporter, told: ToldAlarm, isProven: boolean): void {
    const { events, nowMs } = this.#dependencies;
    const key = `${reporter.spiffeId} ${reporter.agentId} ${told.kind}`;
    // The agent says what the server has seen already.
    const wasProven = this.#proven.get(key)?.held === told.held;
    const alarm = { ...told, atMs: nowMs(), reporter, isProven: isProven || wasProven };
    this.#keep(key, alarm);
    events.logAlarm(reporter, told, isProven);
    this.#write(alarm);
  }

  #keep(key: string, alarm: KeptAlarm): void {
    // What is proven takes the place of the claim of it.
    if (!alarm.isProven || this.#claims.get(key)?.held === alarm.held) this.#claims.delete(key);
    const kept = alarm.isProven ? this.#proven : this.#claims;
    kept.delete(key);
    kept.set(key, alarm);
    const { spiffeId } = alarm.reporter;
    const own = [...this.#claims].filter(([, claim]) => claim.reporter.spiffeId === spiffeId);
    for (const [oldest] of own.slice(0, -claimsPerIdentityMax)) this.#claims.delete(oldest);
    for (const oldest of [...this.#claims.keys(), ...this.#proven.keys()]) {
      if (this.#claims.size + this.#proven.size <= keptMax) return;
      if (!this.#claims.delete(oldest)) this.#proven.delete(oldest);
    }
  }

  /** Nobody waits for it: a log that cannot be written has said so already. */
  #write(alarm: KeptAlarm): void {
    const { writer, events } = this.#dependencies;
    const now = performance.now();
    const detail = detailOf(alarm);
    const key = `${alarm.kind} ${alarm.isProven} ${detail.hasNote}`;
    const writtenAt = this.#writtenAt.get(key);
    if (writtenAt !== undefined && now - writtenAt < entryIntervalMs) return;
    this.#writtenAt.set(key, now);
    if (alarm.isProven) this.#dependencies.onProven(alarm.kind);
    writer.append([entryOf(alarm, detail.text)]).catch((error: unknown) => {
      this.#writtenAt.delete(key);
      events.logAlarmNotWritten(error);
    });
  }
}

interface Detail {
  readonly text: string;
  readonly hasNote: boolean;
}

function entryOf(alarm: KeptAlarm, detail: string): EventEntry {
  const { atMs, reporter, kind, held } = alarm;
  return {
    kind: "event",
    timeMs: atMs,
    type: "alarm",
    operator: "",
    subject: reporter.spiffeId,
    reason: kind,
    digest: held === "" ? new Uint8Array() : hash("sha256", held, "buffer"),
    detail,
  };
}

/** The note that is held is what convicts; where it is too long, its digest is in the entry. */
function detailOf({ reporter, message, held, shown, serial, isProven }: KeptAlarm): Detail {
  const { agentId } = reporter;
  const brief = { agentId, proven: isProven, serial: Buffer.from(serial).toString("hex") };
  const noted = [{ message, held, shown }, { held, shown }, { held }]
    .map((more) => JSON.stringify({ ...brief, ...more }))
    .find((text) => Buffer.byteLength(text) <= detailBytesMax);
  return { text: noted ?? JSON.stringify(brief), hasNote: noted !== undefined };
}
