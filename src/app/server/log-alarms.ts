/**
 * Alarms of the log: those that agents raise, and what the server sees by itself. Each is logged and counted, the newest are
 * kept for `status`, and one of a kind gets into the log now and then, so that nobody fills it with alarms.
 */

import { hash } from "node:crypto";
import type { EventEntry } from "../../core/log/entry.ts";
import type { Reporter } from "../../core/roll/evidence.ts";
import type { LogWriter } from "../../edge/log/log-writer.ts";
import type { ToldAlarm } from "../../edge/rpc/log-messages.ts";
import type { MeshEvents } from "../../edge/telemetry/mesh-events.ts";

export interface KeptAlarm extends ToldAlarm {
  readonly atMs: number;
  readonly reporter: Reporter;
  /** The server has seen it by itself; else it is the agent's word. */
  readonly isProven: boolean;
}

export interface LogAlarmsDependencies {
  readonly writer: Pick<LogWriter, "append">;
  readonly events: MeshEvents;
  readonly nowMs: () => number;
}

const keptMax = 128;
const entryIntervalMs = 600_000;
const detailBytesMax = 4_096;

export class LogAlarms {
  readonly #dependencies: LogAlarmsDependencies;
  /** One of each agent and kind. */
  readonly #kept = new Map<string, KeptAlarm>();
  /** By kind, when the last entry was written (`performance.now()`). */
  readonly #writtenAt = new Map<string, number>();

  constructor(dependencies: LogAlarmsDependencies) {
    this.#dependencies = dependencies;
  }

  /** The newest last. */
  get kept(): readonly KeptAlarm[] {
    return [...this.#kept.values()];
  }

  raise(reporter: Reporter, told: ToldAlarm, isProven: boolean): void {
    const { events, nowMs } = this.#dependencies;
    const key = `${reporter.spiffeId} ${reporter.agentId} ${told.kind}`;
    const before = this.#kept.get(key);
    // The agent says what the server has seen already.
    const wasProven = before?.isProven === true && before.held === told.held;
    const alarm = { ...told, atMs: nowMs(), reporter, isProven: isProven || wasProven };
    this.#kept.delete(key);
    this.#kept.set(key, alarm);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= keptMax) break;
      this.#kept.delete(oldest);
    }
    events.logAlarm(reporter, told, isProven);
    this.#write(alarm);
  }

  /** Nobody waits for it: a log that cannot be written has said so already. */
  #write(alarm: KeptAlarm): void {
    const { writer, events } = this.#dependencies;
    const now = performance.now();
    const writtenAt = this.#writtenAt.get(alarm.kind);
    if (writtenAt !== undefined && now - writtenAt < entryIntervalMs) return;
    this.#writtenAt.set(alarm.kind, now);
    writer.append([entryOf(alarm)]).catch((error: unknown) => {
      this.#writtenAt.delete(alarm.kind);
      events.logAlarmNotWritten(error);
    });
  }
}

function entryOf(alarm: KeptAlarm): EventEntry {
  const { atMs, reporter, kind, held } = alarm;
  return {
    kind: "event",
    timeMs: atMs,
    type: "alarm",
    operator: "",
    subject: reporter.spiffeId,
    reason: kind,
    digest: held === "" ? new Uint8Array() : hash("sha256", held, "buffer"),
    detail: detailOf(alarm),
  };
}

/** The notes are what convicts; where they are too long, their digest is in the entry. */
function detailOf({ reporter, message, held, shown, serial, isProven }: KeptAlarm): string {
  const { agentId } = reporter;
  const brief = { agentId, proven: isProven, serial: Buffer.from(serial).toString("hex") };
  const whole = JSON.stringify({ ...brief, message, held, shown });
  return Buffer.byteLength(whole) <= detailBytesMax ? whole : JSON.stringify(brief);
}
