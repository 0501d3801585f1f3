/**
 * `endpoints.json`: where a running server listens, for the verbs that find it by its data
 * directory. Its addresses are there once all sockets are bound, so they mean "ready"; a file whose process
 * is gone means nothing.
 */

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { PortcullisError } from "../../core/error.ts";
import { errnoOf } from "./errno.ts";
import { PrivateFileError, readPrivateFile, writeFileAtomic } from "./private-files.ts";

export interface Endpoints {
  /** The server's process: while it is alive, the addresses hold. */
  readonly pid: number;
  /** `host:port` of the CA. */
  readonly ca: string;
  /** gRPC target of the admin service, for example `unix:///run/portcullis/admin.sock`. */
  readonly admin: string;
  /** Base URL of the metrics and health server. */
  readonly metrics: string;
  /** URL of the SPIFFE bundle endpoint, where it is on. */
  readonly bundle?: string;
}

export type EndpointsErrorCode =
  | "endpoints-malformed"
  | "endpoints-missing"
  | "endpoints-stale"
  | "endpoints-starting"
  | "endpoints-timeout";

export class EndpointsError extends PortcullisError<EndpointsErrorCode> {
  override name = "EndpointsError";
}

/**
 * @throws EndpointsError, PrivateFileError. `endpoints-stale` when the process that wrote the file
 * is gone; `endpoints-starting` when its ports are not open yet.
 */
export async function readEndpoints(dataDir: string): Promise<Endpoints> {
  const path = endpointsPath(dataDir);
  const value = parseObject(path, await readText(path));
  const pid = parsePid(path, value);
  const isStarting = value["starting"] === true;
  const endpoints = isStarting ? undefined : parseEndpoints(path, pid, value);
  if (!isAlive(pid)) {
    const message = `${path}: the server that wrote it (pid ${pid}) is not running`;
    throw new EndpointsError("endpoints-stale", message, { hint: START_HINT });
  }
  if (endpoints !== undefined) return endpoints;
  const message = `${path}: the server (pid ${pid}) is starting`;
  throw new EndpointsError("endpoints-starting", message, { hint: "try again in a moment" });
}

/** Once the directory is this process's own: what an earlier one has left would say that nobody runs here. */
export async function writeStarting(dataDir: string): Promise<void> {
  const text = `${JSON.stringify({ pid: process.pid, starting: true })}\n`;
  await writeFileAtomic(endpointsPath(dataDir), Buffer.from(text), 0o600);
}

export async function writeEndpoints(dataDir: string, endpoints: Endpoints): Promise<void> {
  const text = `${JSON.stringify(endpoints, undefined, 2)}\n`;
  await writeFileAtomic(endpointsPath(dataDir), Buffer.from(text), 0o600);
}

/** For a clean stop. After a crash the file stays, and its dead pid tells. */
export async function removeEndpoints(dataDir: string): Promise<void> {
  await rm(endpointsPath(dataDir), { force: true });
}

/**
 * Waits until a live server has published its endpoints in `dataDir`.
 * @throws EndpointsError `endpoints-timeout`; the reason of `signal` when it is aborted
 */
export async function waitForEndpoints(
  dataDir: string,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Endpoints> {
  const deadlineMs = performance.now() + options.timeoutMs;
  for (;;) {
    options.signal.throwIfAborted();
    try {
      return await readEndpoints(dataDir);
    } catch (error) {
      if (!isNotYet(error)) throw error;
      if (performance.now() >= deadlineMs) {
        const message = `${endpointsPath(dataDir)}: no server within ${options.timeoutMs} ms`;
        throw new EndpointsError("endpoints-timeout", message, { cause: error, hint: START_HINT });
      }
    }
    // Polled, not watched: the directory itself may not exist yet. An abort wakes the loop, which
    // then throws.
    await sleep(POLL_INTERVAL_MS, undefined, { signal: options.signal }).catch(() => {});
  }
}

const notYet: ReadonlySet<EndpointsErrorCode> = new Set([
  "endpoints-missing",
  "endpoints-stale",
  "endpoints-starting",
]);
const POLL_INTERVAL_MS = 50;
const FILE_BYTES_MAX = 4096;
const START_HINT = "start one: portcullis dev &";

function endpointsPath(dataDir: string): string {
  return join(dataDir, "endpoints.json");
}

async function readText(path: string): Promise<string> {
  try {
    return Buffer.from(await readPrivateFile(path, FILE_BYTES_MAX)).toString("utf8");
  } catch (error) {
    if (!(error instanceof PrivateFileError) || error.code !== "file-missing") throw error;
    const message = `${path}: no server is running there`;
    throw new EndpointsError("endpoints-missing", message, { cause: error, hint: START_HINT });
  }
}

function parsePid(path: string, { pid }: Record<string, unknown>): number {
  if (typeof pid === "number" && Number.isSafeInteger(pid) && pid > 0) return pid;
  throw malformed(path, "expected pid to be a positive integer");
}

function parseEndpoints(path: string, pid: number, value: Record<string, unknown>): Endpoints {
  return Object.freeze({
    pid,
    ca: parseText(path, value, "ca"),
    admin: parseText(path, value, "admin"),
    metrics: parseText(path, value, "metrics"),
    ...(value["bundle"] !== undefined && { bundle: parseText(path, value, "bundle") }),
  });
}

function parseObject(path: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw malformed(path, "expected JSON", error);
  }
  if (!isRecord(value)) throw malformed(path, "expected a JSON object");
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseText(path: string, value: Record<string, unknown>, key: string): string {
  const text = value[key];
  if (typeof text === "string" && text !== "") return text;
  throw malformed(path, `expected ${key} to be an address`);
}

function malformed(path: string, reason: string, cause?: unknown): EndpointsError {
  return new EndpointsError("endpoints-malformed", `${path}: ${reason}`, { cause });
}

function isNotYet(error: unknown): boolean {
  if (!(error instanceof EndpointsError)) return false;
  return notYet.has(error.code);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    return errnoOf(error) === "EPERM";
  }
}
