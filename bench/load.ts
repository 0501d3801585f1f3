/** Runs the load generator, and parses what it reports. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describeFailure, LoadError } from "./programs.ts";

export interface LoadOptions {
  /** `host:port`. */
  readonly address: string;
  /** The DNS name that the server's certificate must carry. */
  readonly serverName: string;
  readonly rootFile: string;
  /** As corpus.ts writes it. */
  readonly requestsFile: string;
  /** `reconnect` makes a new TLS connection, with a full handshake, for each request. */
  readonly mode: "steady" | "reconnect";
  /** Only of `steady`. */
  readonly connections: number;
  /** Calls. */
  readonly inFlight: number;
  /** Records to send. */
  readonly count: number;
  /** Records to leave out at the start: so can several runs share one file of fresh tokens. */
  readonly skip?: number;
  /** Records in each `SignBatch`, a divisor of `count`; otherwise each is sent as `CreateCertificate`. */
  readonly batch?: number;
  /** PEM files: who calls. */
  readonly identity?: { readonly certificateFile: string; readonly keyFile: string };
  /** Each record at most once; otherwise the records are cycled through. */
  readonly fresh: boolean;
  readonly timeoutSeconds?: number;
}

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
}

const OUTPUT_BYTES_MAX = 1 << 20;
const run = promisify(execFile);

/** @throws LoadError `load-run-failed`, `load-outcome-malformed` */
export async function runLoad(
  binary: string,
  options: LoadOptions,
  signal?: AbortSignal,
): Promise<LoadOutcome> {
  try {
    const { stdout } = await run(binary, encodeArguments(options), {
      maxBuffer: OUTPUT_BYTES_MAX,
      ...(signal && { signal }),
    });
    return parseLoadOutcome(stdout);
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof LoadError) throw cause;
    throw new LoadError("load-run-failed", `the load generator failed: ${describeFailure(cause)}`, {
      cause,
    });
  }
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
  });
}

function encodeArguments({ identity, ...options }: LoadOptions): string[] {
  return [
    ["-addr", options.address],
    ["-server-name", options.serverName],
    ["-root", options.rootFile],
    ["-requests", options.requestsFile],
    ["-mode", options.mode],
    ["-connections", options.connections],
    ["-in-flight", options.inFlight],
    ["-count", options.count],
    ["-skip", options.skip ?? 0],
    ["-timeout", `${options.timeoutSeconds ?? 120}s`],
    ["-batch", options.batch ?? 0],
    ...(identity === undefined
      ? []
      : [
          ["-certificate", identity.certificateFile],
          ["-key", identity.keyFile],
        ]),
    ...(options.fresh ? [["-fresh"]] : []),
    ["-json"],
  ].flatMap((words) => words.map(String));
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

function malformed(expected: string, got: unknown): LoadError {
  return new LoadError("load-outcome-malformed", `expected ${expected}, got ${typeof got}`);
}
