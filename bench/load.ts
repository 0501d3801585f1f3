/** Runs the load generator. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { parseLoadOutcome, type LoadOutcome } from "./load-outcome.ts";
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
  /** Time between the moments when requests are due, answered or not. Needs a connection for each in flight. */
  readonly everyMs?: number;
  readonly timeoutSeconds?: number;
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
    ...(options.everyMs === undefined ? [] : [["-every", `${options.everyMs}ms`]]),
    ["-json"],
  ].flatMap((words) => words.map(String));
}
