/** One workload of a mesh: its Envoy, calls through it, and what it counted of TLS. */

import { mkdir } from "node:fs/promises";
import { get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { SdsCredential } from "../../../core/envoy/tls-context.ts";
import { startEnvoy, type EnvoyProcess } from "../../../edge/envoy/process.ts";
import { killAtExit } from "../program.ts";
import { meshBootstrap, seenBy, type MemberAddress } from "./mesh-bootstrap.ts";

export interface MemberOptions {
  readonly own: MemberAddress;
  readonly peers: readonly MemberAddress[];
  readonly envoyBinary: string;
  /** Is made. */
  readonly directory: string;
  readonly sdsSocketPath: string;
  readonly sdsCredential: SdsCredential;
}

/** A handshake that succeeded, by what its two sides saw. */
export interface Handshake {
  readonly callerSerial: string;
  /** Names of the certificates' issuers. */
  readonly callerIssuer: string;
  readonly calleeIssuer: string;
}

/** Of all of its TLS contexts, both sides. */
export interface MemberTls {
  readonly handshakes: number;
  readonly resumed: number;
  /** By Envoy's name of the counter; only those that have counted. */
  readonly failures: Readonly<Record<string, number>>;
}

const statsFilter =
  "\\.ssl\\.(handshake|session_reused|connection_error|no_certificate|fail_.*)$|" +
  "upstream_cx_connect_(fail|timeout)$|upstream_rq_retry$|_context_secrets_not_ready$|" +
  "sds\\..*update_rejected$";

export class Member implements AsyncDisposable {
  readonly name: string;
  readonly #envoy: EnvoyProcess;
  readonly #callSocketPath: string;
  readonly #lastResort: Disposable;

  private constructor(name: string, envoy: EnvoyProcess, callSocketPath: string) {
    this.name = name;
    this.#envoy = envoy;
    this.#callSocketPath = callSocketPath;
    this.#lastResort = killAtExit(envoy.pid ?? 0);
  }

  /** Resolves when it runs, not when it has its secrets. */
  static async start(options: MemberOptions): Promise<Member> {
    const { own, directory, envoyBinary } = options;
    await mkdir(directory, { mode: 0o700 });
    const adminSocketPath = join(directory, "admin.sock");
    const callSocketPath = join(directory, "call.sock");
    const bootstrap = meshBootstrap({ ...options, adminSocketPath, callSocketPath });
    const envoy = await startEnvoy({ binary: envoyBinary, bootstrap, directory, adminSocketPath });
    return new Member(own.name, envoy, callSocketPath);
  }

  async waitUntilLive(signal: AbortSignal): Promise<void> {
    await this.#envoy.waitUntilLive(signal);
  }

  /** One request on a connection of its own. @throws what kept it from being answered */
  async call(peer: string, timeoutMs: number): Promise<Handshake> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const signal = AbortSignal.timeout(timeoutMs);
      const options = { socketPath: this.#callSocketPath, headers: { host: peer }, signal };
      // Without an agent no connection is kept.
      get({ ...options, path: "/", agent: false }, resolve).on("error", reject);
    });
    const body = await text(response);
    if (response.statusCode !== 200) throw new Error(`${response.statusCode} ${body}`);
    return {
      callerSerial: headerOf(response, seenBy.callerSerial),
      callerIssuer: headerOf(response, seenBy.callerIssuer),
      calleeIssuer: headerOf(response, seenBy.calleeIssuer),
    };
  }

  /** When the certificate expires that it shows; the first, where its TLS contexts differ. Unix milliseconds. */
  async notAfterMs(signal?: AbortSignal): Promise<number> {
    const { chain } = await this.#envoy.certificates(signal);
    return Math.min(...chain.map(({ notAfterMs }) => notAfterMs));
  }

  async tls(signal?: AbortSignal): Promise<MemberTls> {
    const stats = await this.#envoy.stats(statsFilter, signal);
    const sums = new Map<string, number>();
    for (const [name, count] of stats) {
      // Its agent's socket may come later than Envoy.
      if (name.startsWith("cluster.sds-grpc.")) continue;
      const counter = name.slice(name.lastIndexOf(".") + 1);
      sums.set(counter, (sums.get(counter) ?? 0) + count);
    }
    const { handshake = 0, session_reused = 0, ...failures } = Object.fromEntries(sums);
    return { handshakes: handshake, resumed: session_reused, failures };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#envoy.stop();
    this.#lastResort[Symbol.dispose]();
  }
}

export function totalTls(all: readonly MemberTls[]): MemberTls {
  const failures = new Map<string, number>();
  for (const [name, count] of all.flatMap((tls) => Object.entries(tls.failures))) {
    failures.set(name, (failures.get(name) ?? 0) + count);
  }
  const sum = (what: "handshakes" | "resumed"): number =>
    all.reduce((total, tls) => total + tls[what], 0);
  return {
    handshakes: sum("handshakes"),
    resumed: sum("resumed"),
    failures: Object.fromEntries(failures),
  };
}

function headerOf({ headers }: IncomingMessage, name: string): string {
  const value = headers[name];
  if (typeof value === "string" && value !== "" && value !== "-") return value;
  throw new Error(`expected an answer with ${name}, got ${String(value)}`);
}
