/** The trust of a server without its ports, for tests of single services on it. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";

import { loadTrust } from "../../src/app/server/trust.ts";
import { TrustKeeper } from "../../src/app/server/trust-keeper.ts";
import type { ServerConfig } from "../../src/edge/config/server-config.ts";
import { Store } from "../../src/edge/store/store.ts";
import type { Logger } from "../../src/edge/telemetry/logger.ts";
import { encodeCertificates } from "../../src/core/x509/pem.ts";
import { testConfig, TOKEN_KEY, type LogLine } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { jwksDocument } from "../support/tokens.ts";

export interface TrustParts extends AsyncDisposable {
  readonly directory: string;
  readonly config: ServerConfig;
  readonly trust: TrustKeeper;
  readonly rootPem: string;
  readonly log: Logger;
  readonly lines: readonly LogLine[];
  /** Its clock, which `advance` moves. */
  readonly nowMs: () => number;
  advance(ms: number): void;
}

export async function openTrustParts(): Promise<TrustParts> {
  await using owned = new AsyncDisposableStack();
  const directory = owned.use(temporaryDirectory()).path;
  const config = testConfig(directory);
  writeFileSync(join(directory, "jwks.json"), jwksDocument(TOKEN_KEY));
  let aheadMs = 0;
  const nowMs = (): number => Date.now() + aheadMs;
  const store = owned.use(await Store.open(directory, "server"));
  const trust = new TrustKeeper(await loadTrust(store, config, nowMs()));
  const lines: LogLine[] = [];
  const log = pino({}, { write: (text) => void lines.push({ ...JSON.parse(text), text }) });
  const rest = owned.move();
  return {
    directory,
    config,
    trust,
    rootPem: encodeCertificates(trust.current.bundle.roots),
    log,
    lines,
    nowMs,
    advance: (ms) => void (aheadMs += ms),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}
