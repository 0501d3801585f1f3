/**
 * Diagnostics, as JSON lines on standard error. Messages are constants and data stands in fields. ("The log" of the design
 * is the transparency log, not this.)
 */

import { destination, pino, type Logger } from "pino";

export type { Logger };

export type LogLevel = "debug" | "info" | "warn" | "error";

const bufferBytesMax = 16 * 1_048_576;

/** @param component who speaks: "server", "agent" */
export function createLogger(component: string, level: LogLevel): Logger {
  // Buffered: one write for many lines. What is lost by a kill -9 is diagnostics, never a promise.
  // Bounded: if nobody reads standard error, lines are dropped and the process goes on.
  const stream = destination({
    fd: 2,
    sync: false,
    minLength: 4_096,
    maxLength: bufferBytesMax,
    periodicFlush: 100,
  });
  const flush = (): void => {
    try {
      stream.flushSync();
    } catch {
      // The stream never became ready, or standard error is gone: there is nobody left to tell.
    }
  };
  process.on("exit", flush);
  return pino(
    {
      level,
      base: { component },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: ["token", "authorization", "key", "privateKey"],
      messageKey: "message",
      errorKey: "error",
    },
    stream,
  );
}
