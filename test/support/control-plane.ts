/**
 * A control plane in this process, on a directory and ports of its own: its clock can be moved, its
 * log and its metrics can be read, and it believes the tokens that `mint` signs.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";

import { ControlPlane } from "../../src/app/server/control-plane.ts";
import {
  resolveServerConfig,
  settingsFromFlags,
  type FlagTexts,
  type ServerConfig,
} from "../../src/edge/config/server-config.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import {
  jwksDocument,
  kubernetesClaims,
  makeTokenKey,
  signToken,
  TEST_ISSUER,
  type TokenKey,
} from "./tokens.ts";

export interface TestControlPlane extends AsyncDisposable {
  readonly controlPlane: ControlPlane;
  readonly config: ServerConfig;
  /** Of the CA, `127.0.0.1:PORT`. */
  readonly address: string;
  readonly rootPem: string;
  readonly jwksPath: string;
  /** What it has logged so far. */
  readonly log: readonly LogLine[];
  /** Moves its clock, and nobody else's. */
  advance(ms: number): void;
  /** Moves its wall clock only, as somebody who sets it. */
  jump(ms: number): void;
  /** Begins the shutdown; disposing waits for its end. */
  stop(): void;
}

export interface LogLine {
  readonly [field: string]: unknown;
  /** The line itself. */
  readonly text: string;
}

export interface TestControlPlaneOptions {
  /** Over those of a server on free ports of the loopback interface. */
  readonly flags?: FlagTexts;
  readonly nowMs?: () => number;
}

export async function startControlPlane(
  options: TestControlPlaneOptions = {},
): Promise<TestControlPlane> {
  await using owned = new AsyncDisposableStack();
  const directory = owned.use(temporaryDirectory()).path;
  const jwksPath = join(directory, "jwks.json");
  writeFileSync(jwksPath, jwksDocument(TOKEN_KEY));
  const config = testConfig(directory, options.flags);
  const stopping = new AbortController();
  const log: LogLine[] = [];
  let aheadMs = 0;
  let jumpedMs = 0;
  const controlPlane = await ControlPlane.start({
    config,
    maker: "server",
    version: "0.0.0-test",
    log: pino(
      { level: config.logLevel },
      { write: (text) => void log.push({ ...JSON.parse(text), text }) },
    ),
    nowMs: options.nowMs ?? (() => Date.now() + aheadMs + jumpedMs),
    monotonicMs: options.nowMs ?? (() => performance.now() + aheadMs),
    signal: stopping.signal,
  });
  owned.use(controlPlane);
  owned.defer(() => stopping.abort());
  const rest = owned.move();
  return {
    controlPlane,
    config,
    address: controlPlane.endpoints.ca,
    rootPem: readFileSync(join(config.dataDir, "root-cert.pem"), "utf8"),
    jwksPath,
    log,
    advance: (ms) => void (aheadMs += ms),
    jump: (ms) => void (jumpedMs += ms),
    stop: () => stopping.abort(),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

/** @param directory of keys, and of the `jwks.json` that it believes */
export function testConfig(directory: string, flags: FlagTexts = {}): ServerConfig {
  return resolveServerConfig([
    settingsFromFlags(flags),
    settingsFromFlags({
      "data-dir": directory,
      listen: "127.0.0.1:0",
      "metrics-listen": "127.0.0.1:0",
      // Where there is a cluster, its tokens are believed, and no others.
      ...(flags["kubernetes"] === undefined && {
        "token-issuer": TEST_ISSUER,
        jwks: join(directory, "jwks.json"),
      }),
    }),
  ]);
}

/** What every test control plane believes, until its key set is replaced. */
export const TOKEN_KEY: TokenKey = makeTokenKey("ES256", "test-key");

/**
 * A token that is good for an hour from now, of `shop/cart` unless `changes` say otherwise.
 * @param changes of its claims
 */
export function mint(
  changes: Readonly<Record<string, unknown>> = {},
  key: TokenKey = TOKEN_KEY,
): string {
  const nowSeconds = Math.floor(Date.now() / 1000);
  const times = { iat: nowSeconds, nbf: nowSeconds, exp: nowSeconds + 3600 };
  return signToken(key, { payload: kubernetesClaims({ ...times, ...changes }) });
}

/** All samples of `/metrics`, by `name` or `name{labels}`. */
export async function scrape(it: TestControlPlane): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${it.controlPlane.endpoints.metrics}/metrics`)).text();
  const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    samples.map((line) => {
      const end = line.lastIndexOf(" ");
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

/** Waits until `condition` gives something, for at most `timeoutMs`. */
export async function eventually<T>(
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 5_000,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > endMs) throw new Error(`nothing within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
