/**
 * The control plane, put together: from a configuration to open ports. It opens nothing before the trust state is loaded,
 * publishes its addresses last, and closes what it owns in reverse order.
 */

import { hasBytes } from "../../core/bytes.ts";
import { RateLimits } from "../../core/issuance/rate-limits.ts";
import { UsedTokens } from "../../edge/authn/used-tokens.ts";
import { removeEndpoints, writeEndpoints, type Endpoints } from "../../edge/config/endpoints.ts";
import {
  diffReloadable,
  type ConfigDiff,
  type ServerConfig,
} from "../../edge/config/server-config.ts";
import { assertKubeSettings } from "../../edge/config/kube-config.ts";
import type { Peer } from "../../edge/rpc/peer.ts";
import type { StoreMaker } from "../../edge/store/store.ts";
import type { Logger } from "../../edge/telemetry/logger.ts";
import { CaExpiryWatch } from "./ca-expiry-watch.ts";
import {
  openCallerAuthentication,
  type CallerAuthentication,
  type IdentityDependencies,
} from "./caller-authentication.ts";
import { buildParts, type Live, type Parts } from "./parts.ts";
import { issuancePolicy } from "./issuance-policy.ts";
import { isDistrusted } from "./mesh/distrust.ts";
import { failureFields } from "./failure-fields.ts";
import { openKept, type KeptOptions } from "./kept.ts";
import { raiseTtl } from "./longest-ttl.ts";
import { connectToCluster, openCluster } from "./cluster.ts";
import { openPorts } from "./ports.ts";
import { retryAfterRotation, type ReloadsHolder } from "./reload-refusals.ts";
import { RootExpiryWatch, watchedRoots } from "./rotation/root-expiry-watch.ts";
import { unlessInterrupted } from "./signing/start-proof.ts";
import { readPlugged, type Trust } from "./trust.ts";

export interface ControlPlaneOptions {
  readonly config: ServerConfig;
  readonly maker: StoreMaker;
  readonly version: string;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** Counts suspension; from any origin. */
  readonly monotonicMs: () => number;
  /** Aborted at shutdown: ends what waits. */
  readonly signal: AbortSignal;
}

const pruneIntervalMs = 60_000;
/** Of settings that decide who may have a certificate. */
const authenticationKeys = /^(tokens\.|identities$|certificates\.renewByCertificate$)/;

type OwnOptions = ControlPlaneOptions & Pick<KeptOptions, "onOvertaken">;

export class ControlPlane implements AsyncDisposable {
  readonly endpoints: Endpoints;
  /** Aborted when another server has taken the trust of the cluster further, with what is to be said: this one is of no use any more. */
  readonly overtaken: AbortSignal;
  readonly #options: ControlPlaneOptions;
  readonly #parts: Parts;
  readonly #owned: AsyncDisposableStack;

  private constructor(
    options: ControlPlaneOptions,
    parts: Parts,
    endpoints: Endpoints,
    overtaken: AbortSignal,
    owned: AsyncDisposableStack,
  ) {
    this.#options = options;
    this.#parts = parts;
    this.endpoints = endpoints;
    this.overtaken = overtaken;
    this.#owned = owned;
  }

  /** Resolves when it is ready: every port is bound, and `endpoints.json` says so. */
  static async start(told: ControlPlaneOptions): Promise<ControlPlane> {
    const overtaken = new AbortController();
    // Whatever the start waits for is not waited for any more, either.
    const signal = AbortSignal.any([told.signal, overtaken.signal]);
    const options = { ...told, signal, onOvertaken: (error: Error) => overtaken.abort(error) };
    try {
      return await ControlPlane.#start(options, overtaken.signal);
    } catch (error) {
      throw overtaken.signal.aborted ? overtaken.signal.reason : error;
    }
  }

  static async #start(options: OwnOptions, overtaken: AbortSignal): Promise<ControlPlane> {
    const { config, version, log, nowMs, signal } = options;
    await using owned = new AsyncDisposableStack();
    const connection = await connectToCluster(config, owned);
    const kept = await openKept({ ...options, connection }, owned);
    const { store, trust, restoration, denials } = kept;
    await kept.keeper.policyIs(issuancePolicy(config));
    logWarnings(trust.current, log);
    const rates = new RateLimits(config.limits.rates);
    const kube = await openCluster(connection, options, owned);
    const identities = {
      store,
      ownRoots: () => trust.current.bundle.roots,
      isDistrusted: (peer: Peer) => isDistrusted(trust.current.bundle, peer),
      usedTokens: new UsedTokens(nowMs()),
      kube,
      nowMs,
    };
    const live: Live = {
      config,
      authentication: await openAuthentication(options, config, identities),
    };
    owned.defer(() => live.authentication[Symbol.dispose]());
    logMethods(live.authentication, log);
    const parts = buildParts({ ...kept, live, rates, kube, log, nowMs });
    owned.use(parts.signing);
    owned.use(parts.serving);
    owned.use(parts.evidence);
    await unlessInterrupted(signal, parts.signing.open());
    const prune = (): void => {
      parts.roll.prune(kept.keeper.proven.nowMs());
      live.authentication.prune(nowMs());
      denials.prune().catch((error: unknown) => {
        log.error({ event: "denials-prune-failed", error }, "ended denials are still kept");
      });
    };
    const pruning = setInterval(prune, pruneIntervalMs).unref();
    owned.defer(() => clearInterval(pruning));
    parts.rotation.begin();
    const ports = { config, version, startedMs: nowMs(), nowMs, signal };
    const endpoints = await openPorts(parts, ports, owned);
    const { witnessing } = parts.witnesses;
    owned.use(witnessing);
    restoration.hear({
      newestSeen: () => witnessing.newestSeen,
      onSettled: () => {
        // The log says now what it has lost.
        store.facts.remember("log-alarm", "");
        witnessing.settled();
      },
    });
    const notAfterMs = (): number => trust.current.authority.notAfterMs;
    owned.use(new CaExpiryWatch({ notAfterMs, log, nowMs }));
    const roots = () => watchedRoots(trust.current.bundle.roots);
    owned.use(new RootExpiryWatch({ roots, log, nowMs }));
    await takeFiles(parts, options);
    owned.use(trust.onChange(({ state }) => retryAfterRotation(parts.reloads, state)));
    owned.use(parts.rotation.auto);
    await writeEndpoints(config.dataDir, endpoints);
    owned.defer(() => removeEndpoints(config.dataDir));
    log.info({ event: "ready", ...endpoints, trustDomain: config.trustDomain.name }, "ready");
    return new ControlPlane(options, parts, endpoints, overtaken, owned.move());
  }

  get trust(): Trust {
    return this.#parts.trust.current;
  }

  get reloads(): ReloadsHolder {
    return this.#parts.reloads;
  }

  /**
   * Takes over what can change while it runs; says what cannot.
   * @throws what the new configuration is wrong about, and changes nothing
   */
  async reload(config: ServerConfig): Promise<ConfigDiff> {
    const { live, keeper } = this.#parts;
    const running = live.config;
    const diff = diffReloadable(running, config);
    const next = Object.freeze({
      ...running,
      ...tokenKeys(config.kubernetes === running.kubernetes ? config : running),
      audiences: config.audiences,
      identities: config.identities,
      renewByCertificate: config.renewByCertificate,
      defaultTtlSeconds: config.defaultTtlSeconds,
      maxTtlSeconds: config.maxTtlSeconds,
      jwtSvidTtlSeconds: config.jwtSvidTtlSeconds,
      nodeAgents: config.nodeAgents,
      servingDnsNames: config.servingDnsNames,
      bundleRefreshHintSeconds: config.bundleRefreshHintSeconds,
      reissuePerSecond: config.reissuePerSecond,
      unobserved: config.unobserved,
      evidenceRetentionSeconds: config.evidenceRetentionSeconds,
      lookBackSeconds: config.lookBackSeconds,
      limits: config.limits,
      logLevel: config.logLevel,
    });
    const isAuthentication =
      // Their roots are files, which may have changed by themselves.
      config.identities.x5c.length > 0 || diff.apply.some((key) => authenticationKeys.test(key));
    assertKubeSettings(next);
    const authentication = isAuthentication && (await live.authentication.reopen(next));
    try {
      await raiseTtl(this.#parts, running.maxTtlSeconds, next.maxTtlSeconds);
      await keeper.policyIs(issuancePolicy(next));
      live.config = next;
      if (diff.apply.includes("serving.dnsNames")) await this.#parts.serving.renew();
    } catch (error) {
      live.config = running;
      if (authentication !== false) authentication[Symbol.dispose]();
      throw error;
    }
    if (authentication !== false) {
      live.authentication[Symbol.dispose]();
      live.authentication = authentication;
      if (diff.apply.length > 0) logMethods(authentication, this.#options.log);
    }
    this.#parts.rates.reload(next.limits.rates, this.#options.nowMs());
    this.#parts.bundleEndpoint.renew();
    this.#options.log.level = next.logLevel;
    return diff;
  }

  /**
   * Takes over what the operator's CA is now: what changes whom the mesh trusts begins a rotation.
   * @returns whether anything has changed
   * @throws what is wrong with the files, or why they have to wait; then the old ones stay
   */
  async reloadTrust(): Promise<boolean> {
    const { live, signing, rotation, trust } = this.#parts;
    const plugged = await readPlugged(live.config, this.#options.nowMs());
    if (plugged === undefined) return false;
    rotation.auto.retry();
    const hasChanged = await rotation.files.take(plugged);
    if (hasChanged) logWarnings(trust.current, this.#options.log);
    else signing.retry();
    return hasChanged;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.log.info({ event: "draining" }, "draining");
    await this.#owned.disposeAsync();
    this.#options.log.info({ event: "stopped" }, "stopped");
  }
}

/** What the files had become while the server was away. Refused, they are tried again as after any reload. */
async function takeFiles(
  { trust, rotation, reloads }: Parts,
  { log, nowMs }: ControlPlaneOptions,
): Promise<void> {
  const { plugged } = trust.current;
  try {
    if (plugged !== undefined) await rotation.files.begin(plugged);
  } catch (error) {
    reloads.refusals.refuse("ca", error, nowMs());
    log.error({ event: "reload-refused", part: "ca", ...failureFields(error) }, "CA refused");
  }
}

function logWarnings({ warnings, state }: Trust, log: Logger): void {
  const signing = state.authorities.map(({ root }) => root);
  for (const { code, file, message, otherRoot } of warnings) {
    // What the files do not sign under, this server may: a rotation has two roots.
    if (otherRoot !== undefined && hasBytes(signing, otherRoot)) continue;
    log.warn({ event: "ca-warning", code, file, detail: message }, "the operator's CA");
  }
}

/** Who has forgotten `tokens` learns it at the start, and not by the first workload that is refused. */
function logMethods({ methods }: CallerAuthentication, log: Logger): void {
  log.info({ event: "authentication", methods }, "who can be let in");
  if (methods.length > 1) return;
  const hint = "give --kubernetes, --token-issuer and --jwks, or identities in the configuration";
  log.warn({ event: "join-tokens-only", hint }, "nobody is let in but by a join token");
}

/** Whose keys those are changes with the cluster, at a restart. */
function tokenKeys({
  tokenIssuer,
  jwks,
}: ServerConfig): Pick<ServerConfig, "tokenIssuer" | "jwks"> {
  return { tokenIssuer, jwks };
}

function openAuthentication(
  { maker, log, signal }: ControlPlaneOptions,
  config: ServerConfig,
  identities: IdentityDependencies,
): Promise<CallerAuthentication> {
  return openCallerAuthentication(
    config,
    maker,
    (event, issuer) => {
      if (event.kind === "failed") {
        const { error, keySetAgeMs } = event;
        const fields = { event: "jwks-failed", issuer, error, keySetAgeMs };
        log.error(fields, "token keys could not be read");
      } else if (event.changed) {
        const { keyIds, skipped } = event.keySet;
        log.info({ event: "jwks-loaded", issuer, keyIds, skipped }, "token keys read");
      }
    },
    signal,
    identities,
  );
}
