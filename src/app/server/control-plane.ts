/**
 * The control plane, put together: from a configuration to open ports. It opens nothing before the trust state is loaded,
 * publishes its addresses last, and closes what it owns in reverse order.
 */

import { removeEndpoints, writeEndpoints, type Endpoints } from "../../edge/config/endpoints.ts";
import {
  diffReloadable,
  type ConfigDiff,
  type ServerConfig,
} from "../../edge/config/server-config.ts";
import { Store, type StoreMaker } from "../../edge/store/store.ts";
import type { Logger } from "../../edge/telemetry/logger.ts";
import { openCallerAuthentication, type CallerAuthentication } from "./caller-authentication.ts";
import { buildParts, type Live, type Parts } from "./parts.ts";
import { openPorts } from "./ports.ts";
import { loadTrust } from "./trust.ts";

export interface ControlPlaneOptions {
  readonly config: ServerConfig;
  readonly maker: StoreMaker;
  readonly version: string;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** Aborted at shutdown: ends what waits. */
  readonly signal: AbortSignal;
}

const pruneIntervalMs = 60_000;

export class ControlPlane implements AsyncDisposable {
  readonly endpoints: Endpoints;
  readonly #options: ControlPlaneOptions;
  readonly #live: Live;
  readonly #parts: Parts;
  readonly #owned: AsyncDisposableStack;

  private constructor(
    options: ControlPlaneOptions,
    live: Live,
    parts: Parts,
    endpoints: Endpoints,
    owned: AsyncDisposableStack,
  ) {
    this.#options = options;
    this.#live = live;
    this.#parts = parts;
    this.endpoints = endpoints;
    this.#owned = owned;
  }

  /** Resolves when it is ready: every port is bound, and `endpoints.json` says so. */
  static async start(options: ControlPlaneOptions): Promise<ControlPlane> {
    const { config, maker, version, log, nowMs, signal } = options;
    await using owned = new AsyncDisposableStack();
    const store = owned.use(await Store.open(config.dataDir, maker));
    const trust = await loadTrust(store, config, nowMs());
    const live: Live = { config, authentication: await openAuthentication(options, config) };
    owned.defer(() => live.authentication[Symbol.dispose]());
    const parts = buildParts({ live, trust, log, nowMs });
    owned.use(parts.serving);
    const pruning = setInterval(() => parts.roll.prune(nowMs()), pruneIntervalMs).unref();
    owned.defer(() => clearInterval(pruning));
    const isDraining = (): boolean => signal.aborted;
    const ports = { config, version, startedMs: nowMs(), nowMs, isDraining };
    const endpoints = await openPorts(parts, ports, owned);
    await writeEndpoints(config.dataDir, endpoints);
    owned.defer(() => removeEndpoints(config.dataDir));
    log.info({ event: "ready", ...endpoints, trustDomain: config.trustDomain.name }, "ready");
    return new ControlPlane(options, live, parts, endpoints, owned.move());
  }

  /**
   * Takes over what can change while it runs; says what cannot.
   * @throws what the new configuration is wrong about, and changes nothing
   */
  async reload(config: ServerConfig): Promise<ConfigDiff> {
    const running = this.#live.config;
    const diff = diffReloadable(running, config);
    const next = Object.freeze({
      ...running,
      jwks: config.jwks,
      audiences: config.audiences,
      defaultTtlSeconds: config.defaultTtlSeconds,
      maxTtlSeconds: config.maxTtlSeconds,
      servingDnsNames: config.servingDnsNames,
      limits: config.limits,
      logLevel: config.logLevel,
    });
    const isTokenRule = diff.apply.some((key) => key.startsWith("tokens."));
    const authentication = isTokenRule && (await openAuthentication(this.#options, next));
    this.#live.config = next;
    try {
      if (diff.apply.includes("serving.dnsNames")) this.#parts.serving.renew();
    } catch (error) {
      this.#live.config = running;
      if (authentication !== false) authentication[Symbol.dispose]();
      throw error;
    }
    if (authentication !== false) {
      this.#live.authentication[Symbol.dispose]();
      this.#live.authentication = authentication;
    }
    this.#options.log.level = next.logLevel;
    return diff;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.log.info({ event: "draining" }, "draining");
    await this.#owned.disposeAsync();
    this.#options.log.info({ event: "stopped" }, "stopped");
  }
}

function openAuthentication(
  { maker, log, signal }: ControlPlaneOptions,
  config: ServerConfig,
): Promise<CallerAuthentication> {
  return openCallerAuthentication(
    config,
    maker,
    (event) => {
      if (event.kind === "failed") {
        const { error, keySetAgeMs } = event;
        log.error({ event: "jwks-failed", error, keySetAgeMs }, "token keys could not be read");
      } else if (event.changed) {
        const { keyIds, skipped } = event.keySet;
        log.info({ event: "jwks-loaded", keyIds, skipped }, "token keys read");
      }
    },
    signal,
  );
}
