/** Everything of a control plane that has no port of its own, built on a loaded trust state. */

import { LRUCache } from "lru-cache";
import { randomBytes } from "node:crypto";
import { Roll } from "../../core/roll/roll.ts";
import { parseCertificate } from "../../core/x509/certificate.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import type { Store } from "../../edge/store/store.ts";
import type { Logger } from "../../edge/telemetry/logger.ts";
import { MeshEvents } from "../../edge/telemetry/mesh-events.ts";
import { ServerEvents } from "../../edge/telemetry/server-events.ts";
import { ServerMetrics, type ServerGauges } from "../../edge/telemetry/server-metrics.ts";
import type { CallerAuthentication } from "./caller-authentication.ts";
import { endWithoutThreads } from "./end-without-threads.ts";
import { IssuanceQueue } from "./issuance-queue.ts";
import type { IssueServing } from "./serving-certificate.ts";
import { Serving } from "./serving.ts";
import { SigningPool } from "./signing-pool.ts";
import type { TrustKeeper } from "./trust-keeper.ts";

/** What a reload replaces while everything else stays. */
export interface Live {
  config: ServerConfig;
  authentication: CallerAuthentication;
}

export interface PartsOptions {
  readonly live: Live;
  readonly trust: TrustKeeper;
  readonly store: Store;
  readonly log: Logger;
  readonly nowMs: () => number;
}

export interface Parts {
  readonly log: Logger;
  readonly store: Store;
  readonly live: Live;
  readonly trust: TrustKeeper;
  readonly roll: Roll;
  readonly metrics: ServerMetrics;
  readonly events: ServerEvents;
  readonly meshEvents: MeshEvents;
  /** How many agents are connected; set by whoever serves them. */
  readonly agents: { count: () => number };
  /** Takes new names and files, and knows when its certificate expires; set by whoever serves the bundle. */
  readonly bundleEndpoint: { renew: () => void; notAfterMs: () => number | undefined };
  readonly signing: SigningPool;
  readonly issueServing: IssueServing;
  readonly queue: IssuanceQueue;
  readonly serving: Serving;
  /** By serial: the pod whose token a certificate was issued on. */
  readonly pods: LRUCache<string, string>;
}

const rollLimits = {
  proxiesMax: 20_000,
  proxiesPerIdentityMax: 5_000,
  proxiesPerReporterMax: 256,
  subscriptionsPerProxyMax: 64,
};
const podsRemembered = 16_384;
const signingTimes = { answerMs: 30_000, restMs: 5_000, endMs: 2_000 };

export function buildParts({ live, trust, store, log, nowMs }: PartsOptions): Parts {
  const roll = new Roll(rollLimits);
  const metrics: ServerMetrics = new ServerMetrics(gauges());
  // The transparency log will know for ever; until then a restart forgets.
  const pods = new LRUCache<string, string>({ max: podsRemembered });
  const events = new ServerEvents(log, metrics);
  const meshEvents = new MeshEvents(log, metrics);
  const agents = { count: () => 0 };
  const bundleEndpoint: Parts["bundleEndpoint"] = { renew: () => {}, notAfterMs: () => undefined };
  const signing = new SigningPool({
    authority: () => trust.current.authority,
    parts: () => trust.current.authorityParts,
    policy: () => live.config,
    onFailed: (error) =>
      log.error({ event: "signing-failed", error }, "the signing key cannot be used"),
    onRecovered: () =>
      log.info({ event: "signing-recovered" }, "the signing key can be used again"),
    onStuck: () => {
      log.warn({ event: "signing-stuck" }, "an HSM still holds its thread: ending without it");
      endWithoutThreads();
    },
    times: signingTimes,
  });
  const issueServing: IssueServing = (names, uri) =>
    signing.issueServing({ roots: trust.current.bundle.roots, names, nowMs: nowMs(), uri });
  const queue = new IssuanceQueue(
    {
      refreshKeys: () => live.authentication.refreshKeys(),
      sign: (orders, now) => signing.sign(orders, now),
      randomSerial: randomSerials(),
      nowMs,
    },
    () => ({
      callsInFlightMax: live.config.limits.callsInFlight,
      queueMax: live.config.limits.queueLength,
    }),
  );
  const serving: Serving = new Serving({
    issue: issueServing,
    nowMs,
    names: () => servingNames(live.config),
    onRenewed: ({ notAfterMs }) =>
      log.info({ event: "serving-certificate-renewed", notAfterMs }, "serving certificate renewed"),
    onFailed: (error) =>
      log.error({ event: "serving-certificate-failed", error }, "serving certificate not renewed"),
  });
  return {
    log,
    store,
    live,
    trust,
    roll,
    metrics,
    events,
    meshEvents,
    agents,
    bundleEndpoint,
    signing,
    issueServing,
    queue,
    serving,
    pods,
  };

  function gauges(): ServerGauges {
    return {
      rootNotAfterMs: () =>
        Math.min(...trust.current.bundle.roots.map((der) => parseCertificate(der).notAfterMs)),
      chainNotAfterMs: () => trust.current.authority.notAfterMs,
      servingNotAfterMs: () => serving.certificate.notAfterMs,
      bundleEndpointNotAfterMs: () => bundleEndpoint.notAfterMs(),
      signerAvailable: () => signing.isAvailable,
      queueDepth: () => queue.depth,
      agentsConnected: () => agents.count(),
      proxies: () => countProxies(roll),
      bundleSequence: () => Number(trust.current.bundle.sequence),
      nowMs,
    };
  }
}

/** 128 random bits each; drawn for many at a time, because each draw is a call into OpenSSL. */
function randomSerials(): () => Uint8Array {
  const bytesEach = 16;
  let pool = new Uint8Array();
  return () => {
    if (pool.length === 0) pool = randomBytes(256 * bytesEach);
    const serial = pool.subarray(0, bytesEach);
    pool = pool.subarray(bytesEach);
    return serial;
  };
}

/** An address to listen on is a name to dial, unless it is all of them. */
export function servingNames({
  listen,
  servingDnsNames,
}: Pick<ServerConfig, "listen" | "servingDnsNames">): string[] {
  const wildcards = ["0.0.0.0", "::"];
  const host = wildcards.includes(listen.host) ? [] : [listen.host];
  return [...new Set([...servingDnsNames, ...host, "127.0.0.1", "::1"])];
}

function countProxies(roll: Roll): { connected: number; absent: number } {
  const all = roll.entries();
  const connected = all.filter((entry) => entry.connected).length;
  return { connected, absent: all.length - connected };
}
