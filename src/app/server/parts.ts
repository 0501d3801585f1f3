/** Everything of a control plane that has no port of its own, built on a loaded trust state. */

import { LRUCache } from "lru-cache";
import type { OwnCertificate } from "../../core/roll/holder-gate.ts";
import type { Roll } from "../../core/roll/roll.ts";
import type { RootMaps } from "../../core/roll/root-maps.ts";
import type { RateLimits } from "../../core/issuance/rate-limits.ts";
import type { Problem } from "../../core/problem.ts";
import { serverHost } from "../../core/kube/own-names.ts";
import { parseCertificate } from "../../core/x509/certificate.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import type { Logger } from "../../edge/telemetry/logger.ts";
import { addReloadGauge } from "../../edge/telemetry/reload-metrics.ts";
import { MeshEvents } from "../../edge/telemetry/mesh-events.ts";
import { ServerEvents } from "../../edge/telemetry/server-events.ts";
import { addTrustSecretGauges } from "../../edge/telemetry/trust-secret-gauges.ts";
import { ServerMetrics, type ServerGauges } from "../../edge/telemetry/server-metrics.ts";
import type { CallerAuthentication } from "./caller-authentication.ts";
import { admission, type AssertAdmitted } from "./admission.ts";
import type { Kept } from "./kept.ts";
import { buildIssuance } from "./issuance.ts";
import type { Kube } from "./kube/kube.ts";
import type { NamedBundleMaps } from "./kube/kube-status.ts";
import type { GuardReport } from "./kube/guard/serve-guard.ts";
import type { IssuanceQueue } from "./issuance-queue.ts";
import { buildEvidence, type Evidence } from "./rotation/evidence-parts.ts";
import type { Ledger, LedgerWatch } from "./log/ledger.ts";
import type { IssueServing } from "./serving-certificate.ts";
import { Serving } from "./serving.ts";
import { servingNames } from "./serving-names.ts";
import { buildWitnesses, type Witnesses } from "./log/log-witnesses.ts";
import { failureFields } from "./failure-fields.ts";
import { ReloadRefusals, reloadParts, type ReloadsHolder } from "./reload-refusals.ts";
import { buildRotation, type RotationParts } from "./rotation/rotation-parts.ts";
import { signingProblems } from "./signing-problems.ts";
import { SigningPool } from "./signing/signing-pool.ts";
import { signingTimes } from "./signing/signing-threads.ts";
import { SigningTurns } from "./signing/signing-turns.ts";
import { sayStuck } from "./signing/start-proof.ts";
import { Waivers } from "./rotation/waivers.ts";

/** What a reload replaces while everything else stays. */
export interface Live {
  config: ServerConfig;
  authentication: CallerAuthentication;
}

export interface PartsOptions extends Kept {
  readonly live: Live;
  readonly rates: RateLimits;
  /** The cluster that the server is in. */
  readonly kube: Kube | undefined;
  readonly log: Logger;
  readonly nowMs: () => number;
}

export interface Parts extends Kept {
  /** The cluster that the server is in; undefined where it is in none. */
  readonly kube: Kube | undefined;
  /** For diagnosis; what was signed stands in `transparency`. */
  readonly log: Logger;
  readonly ledger: Ledger;
  readonly witnesses: Witnesses;
  readonly rates: RateLimits;
  readonly assertAdmitted: AssertAdmitted;
  readonly live: Live;
  readonly roll: Roll;
  readonly metrics: ServerMetrics;
  readonly events: ServerEvents;
  readonly meshEvents: MeshEvents;
  /** What agents prove, and what the gates of a rotation see of it. */
  readonly evidence: Evidence;
  readonly reloads: ReloadsHolder;
  /** Takes new names and files, and knows when its certificate expires; set by whoever serves the bundle. */
  readonly bundleEndpoint: {
    renew: () => void;
    notAfterMs: () => number | undefined;
    root: () => string | undefined;
  };
  /** The admission webhook, and the root of its certificate; set by whoever serves it. */
  readonly guard: { root: () => string | undefined; report: () => GuardReport | undefined };
  /** The ConfigMaps with the roots; set by whoever writes them. */
  readonly bundleMaps: {
    state: () => NamedBundleMaps | undefined;
    roots: () => RootMaps | undefined;
  };
  readonly signing: SigningPool;
  readonly issueServing: IssueServing;
  readonly queue: IssuanceQueue;
  readonly serving: Serving;
  readonly rotation: RotationParts;
  /** Why nothing is signed; empty while all is well. */
  readonly problems: () => readonly Problem[];
  /** By serial: the pod whose token a certificate was issued on. */
  readonly pods: LRUCache<string, string>;
}

const podsRemembered = 16_384;

export function buildParts(options: PartsOptions): Parts {
  const { live, trust, transparency, keeper, denials, rates, restoration, log, nowMs } = options;
  const { kube } = options;
  const metrics: ServerMetrics = new ServerMetrics(gauges());
  kube?.events.register(metrics.registry, () => ({ mode: kube.mode(), watches: kube.watches() }));
  const { trustSecret } = options;
  if (trustSecret !== undefined) {
    addTrustSecretGauges(metrics.registry, () => trustSecret.report(), nowMs);
  }
  // The transparency log knows for ever; this is for whoever asks often.
  const pods = new LRUCache<string, string>({ max: podsRemembered });
  const events = new ServerEvents(log, metrics, (caller, reason, address) =>
    keeper.countRefusal(caller, reason, address),
  );
  const meshEvents = new MeshEvents(log, metrics);
  const witnesses = buildWitnesses({
    log: transparency,
    events: meshEvents,
    keeper,
    facts: options.store.facts,
    records: options.records,
    maxTtlSeconds: () => Math.max(live.config.maxTtlSeconds, trustSecret?.ttlMaxSeconds ?? 0),
    isSettled: () => restoration.isSettled,
  });
  const reloads: ReloadsHolder = { refusals: new ReloadRefusals(), retry: () => {} };
  addReloadGauge(metrics.registry, reloadParts, () => reloads.refusals.all);
  const bundleEndpoint: Parts["bundleEndpoint"] = {
    renew: () => {},
    notAfterMs: () => undefined,
    root: () => undefined,
  };
  const guard: Parts["guard"] = { root: () => undefined, report: () => undefined };
  const hasMaps = kube !== undefined && live.config.bundleConfigMap !== "off";
  const bundleMaps: Parts["bundleMaps"] = {
    state: () => undefined,
    roots: () => (hasMaps ? { kind: "unlisted", failure: "" } : undefined),
  };
  const signing = new SigningPool({
    authority: () => trust.current.authority,
    parts: () => trust.current.authorityParts,
    policy: () => live.config,
    onFailed: (error) =>
      log.error(
        { event: "signing-failed", ...failureFields(error) },
        "the signing key cannot be used",
      ),
    onRecovered: () => {
      log.info({ event: "signing-recovered" }, "the signing key can be used again");
      reloads.retry();
    },
    onStuck: () => sayStuck(log),
    times: signingTimes,
  });
  const assertNotDenied = (identity: string, serialHex: string | undefined): void =>
    denials.assertNotDenied(identity, serialHex);
  const assertAdmitted = admission({
    assertNotDenied,
    rates,
    random: Math.random,
  });
  const onUnfit = (identity: string, error: unknown, tbs: Uint8Array): void => {
    events.certificateUnfit(identity, error);
    keeper.keepUnfit(identity, error, tbs);
  };
  const turns = new SigningTurns();
  const watch: LedgerWatch = { settled: undefined };
  const { ledger, queue, issueServing } = buildIssuance({
    trust: () => trust.current,
    signing,
    turns,
    transparency,
    watch,
    time: keeper.time,
    limits: () => live.config.limits,
    refreshKeys: () => live.authentication.refreshKeys(),
    assertMaySign: options.assertMaySign,
    assertTrustCurrent: () => trustSecret?.assertMaySign(),
    assertAdmitted,
    assertNotDenied,
    assertNotGone: (caller) => live.authentication.assertNotGone(caller, nowMs()),
    onUnfit,
    nowMs,
  });
  const serving: Serving = new Serving({
    issue: issueServing,
    nowMs,
    names: () => [
      ...new Set([
        ...servingNames(live.config),
        // By it operators find it through their kubeconfig.
        ...(kube === undefined ? [] : [serverHost(kube.namespace)]),
      ]),
    ],
    onRenewed: ({ notAfterMs }) =>
      log.info({ event: "serving-certificate-renewed", notAfterMs }, "serving certificate renewed"),
    onFailed: (error) =>
      log.error({ event: "serving-certificate-failed", error }, "serving certificate not renewed"),
  });
  const waivers = new Waivers({
    stored: options.store.waivers,
    record: (event) => keeper.event(event),
    rootsSequence: () => options.trust.current.state.rootsSequence,
    nowMs,
  });
  const config = (): ServerConfig => live.config;
  const own = (): readonly OwnCertificate[] => [
    ...ownCertificate("serving", serving.root),
    ...ownCertificate("bundle-endpoint", bundleEndpoint.root()),
    ...ownCertificate("guard", guard.root()),
  ];
  const evidence = buildEvidence(
    {
      ...options,
      waivers,
      own,
      rootMaps: () => bundleMaps.roots(),
      config,
      metrics,
      events: meshEvents,
    },
    watch,
  );
  const { roll, agents } = evidence;
  const rotation = buildRotation({
    ...options,
    view: evidence.view,
    waivers,
    turns,
    signing,
    ledger,
    onUnfit,
    serving,
    config,
  });
  return {
    ...options,
    roll,
    rotation,
    metrics,
    events,
    meshEvents,
    evidence,
    reloads,
    bundleEndpoint,
    guard,
    bundleMaps,
    signing,
    ledger,
    witnesses,
    assertAdmitted,
    issueServing,
    queue,
    serving,
    problems: () => signingProblems(signing, options),
    pods,
  };

  function gauges(): ServerGauges {
    return {
      rootNotAfterMs: () =>
        Math.min(...trust.current.bundle.roots.map((der) => parseCertificate(der).notAfterMs)),
      chainNotAfterMs: () => trust.current.authority.notAfterMs,
      servingNotAfterMs: () => serving.notAfterMs,
      bundleEndpointNotAfterMs: () => bundleEndpoint.notAfterMs(),
      signerAvailable: () => signing.isAvailable,
      logSize: () => transparency.reader.head().size,
      logWritable: () => transparency.writer.state.failure === undefined,
      clockGood: () => keeper.time.status.kind === "ok",
      queueDepth: () => queue.depth,
      agentsConnected: () => agents.count(),
      proxies: () => countProxies(roll),
      bundleSequence: () => Number(trust.current.bundle.sequence),
      nowMs,
    };
  }
}

function ownCertificate(name: string, root: string | undefined): readonly OwnCertificate[] {
  return root === undefined ? [] : [{ name, root }];
}

function countProxies(roll: Roll): { connected: number; absent: number } {
  const all = roll.entries();
  const connected = all.filter((entry) => entry.connected).length;
  return { connected, absent: all.length - connected };
}
