/** What the load generator reports, and its one way in. */

import { LoadError } from "./programs.ts";

/** Counts, rates and latencies of calls. */
export interface LoadOutcome {
  readonly ok: number;
  /** By gRPC status name, or a code of the transport such as `CONNECTION` and `BAD_REPLY`. */
  readonly failed: ReadonlyMap<string, number>;
  readonly connections: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly clientCpuMicrosPerRequest: number;
  /** Empty if nothing failed. */
  readonly firstError: string;
  /** Unix milliseconds. */
  readonly startedAtMs: number;
  /** Of each that was answered; only with `everyMs`. */
  readonly samples: readonly LoadSample[];
}

interface LoadSample {
  /** Unix milliseconds. */
  readonly dueAtMs: number;
  readonly latencyMs: number;
}

/** @throws LoadError `load-outcome-malformed` */
export function parseLoadOutcome(json: string): LoadOutcome {
  const fields = parseObject(json);
  const number = (key: string): number => {
    const value = fields.get(key);
    if (typeof value !== "number") throw malformed(`a number in ${key}`, value);
    return value;
  };
  const firstError = fields.get("firstError");
  if (typeof firstError !== "string") throw malformed("a string in firstError", firstError);
  return Object.freeze({
    ok: number("ok"),
    failed: parseCounts(fields.get("failed")),
    connections: number("connections"),
    seconds: number("seconds"),
    perSecond: number("perSecond"),
    p50Ms: number("p50Ms"),
    p90Ms: number("p90Ms"),
    p99Ms: number("p99Ms"),
    maxMs: number("maxMs"),
    clientCpuMicrosPerRequest: number("clientCpuMicrosPerRequest"),
    firstError,
    startedAtMs: number("startedAtMs"),
    samples: parseSamples(fields.get("samples")),
  });
}

function parseObject(json: string): ReadonlyMap<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new LoadError("load-outcome-malformed", "expected JSON from the load generator", {
      cause,
    });
  }
  if (typeof value !== "object" || value === null) throw malformed("an object", value);
  return new Map<string, unknown>(Object.entries(value));
}

function parseCounts(value: unknown): ReadonlyMap<string, number> {
  if (typeof value !== "object" || value === null) throw malformed("counts in failed", value);
  const counts = new Map<string, number>();
  for (const [code, count] of Object.entries(value)) {
    if (typeof count !== "number") throw malformed(`a number in failed.${code}`, count);
    counts.set(code, count);
  }
  return counts;
}

function parseSamples(value: unknown): readonly LoadSample[] {
  if (!Array.isArray(value)) throw malformed("a list in samples", value);
  return value.map((sample: unknown) => {
    const [dueAtMs, latencyMs]: unknown[] = Array.isArray(sample) ? sample : [];
    if (typeof dueAtMs !== "number" || typeof latencyMs !== "number") {
      throw malformed("two numbers in a sample", dueAtMs);
    }
    return { dueAtMs, latencyMs };
  });
}

function malformed(expected: string, got: unknown): LoadError {
  return new LoadError("load-outcome-malformed", `expected ${expected}, got ${typeof got}`);
}
