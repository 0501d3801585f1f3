/** A logger that keeps the fields that it is told. */

import { pino } from "pino";
import type { Logger } from "../../src/edge/telemetry/logger.ts";

export interface LogRecorder {
  readonly log: Logger;
  readonly events: readonly Readonly<Record<string, unknown>>[];
}

export function logRecorder(): LogRecorder {
  const events: Record<string, unknown>[] = [];
  const log = pino({ base: {} }, { write: (text) => void events.push(JSON.parse(text)) });
  return { log, events };
}
