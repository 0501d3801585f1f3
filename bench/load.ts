/**
 * The load generator: builds the Go program in load/ into the user's cache, runs it, and parses
 * what it reports. It is Go because a client in Node would cost more than the server that it
 * measures on the same machine.
 */

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { PortcullisError } from "../src/core/error.ts";

export type LoadErrorCode =
  | "load-go-missing"
  | "load-build-failed"
  | "load-run-failed"
  | "load-outcome-malformed";

export class LoadError extends PortcullisError<LoadErrorCode> {
  override name = "LoadError";
}

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
  readonly inFlight: number;
  readonly count: number;
  /** Records to leave out at the start: so can several runs share one file of fresh tokens. */
  readonly skip?: number;
  /** Each record at most once; otherwise the records are cycled through. */
  readonly fresh: boolean;
  readonly timeoutSeconds?: number;
}

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

const SOURCES = join(import.meta.dirname, "load");
const OUTPUT_BYTES_MAX = 1 << 20;
const run = promisify(execFile);

/**
 * The path of the program, built if these sources were not built before.
 *
 * @throws LoadError `load-go-missing`, `load-build-failed`
 */
export async function buildLoad(signal?: AbortSignal): Promise<string> {
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const directory = join(cache, "portcullis", "bench", await hashSources());
  const binary = join(directory, "load");
  if (await exists(binary)) return binary;
  await mkdir(directory, { recursive: true });
  // Built aside and renamed: whoever finds the name finds a whole program.
  const unfinished = `${binary}.${process.pid}`;
  try {
    await run("go", ["build", "-trimpath", "-o", unfinished, "."], {
      cwd: SOURCES,
      env: { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly", GOWORK: "off" },
      ...(signal && { signal }),
    });
    await rename(unfinished, binary);
  } catch (cause) {
    signal?.throwIfAborted();
    await rm(unfinished, { force: true });
    throw buildError(cause);
  }
  return binary;
}

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
    throw new LoadError("load-run-failed", `the load generator failed: ${describe(cause)}`, {
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

async function hashSources(): Promise<string> {
  const hash = createHash("sha256").update(`${process.platform}/${process.arch}\n`);
  const names = (await readdir(SOURCES)).filter((name) => /\.go$|^go\.(?:mod|sum)$/.test(name));
  for (const name of names.toSorted()) {
    hash.update(`${name}\n`).update(await readFile(join(SOURCES, name)));
  }
  return hash.digest("hex").slice(0, 16);
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

function buildError(cause: unknown): LoadError {
  if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") {
    return new LoadError("load-go-missing", "the load generator needs Go to be built, got none", {
      cause,
      hint: "install Go 1.24 or newer and have `go` in PATH",
    });
  }
  return new LoadError("load-build-failed", `go build failed: ${describe(cause)}`, {
    cause,
    hint: "the first build fetches golang.org/x/net: check the network and GOPROXY",
  });
}

/** What the program said itself is worth more than the command line that failed. */
function describe(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const stderr = "stderr" in cause ? String(cause.stderr).trim() : "";
  return (stderr || cause.message).slice(0, 2000);
}

function encodeArguments(options: LoadOptions): string[] {
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
