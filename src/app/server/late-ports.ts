/** What is served, but not waited for by the first certificate: agents' streams, operators, health and reflection. */

import type { Server as GrpcServer } from "@grpc/grpc-js";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Caller } from "../../core/identity/caller.ts";
import type { Reporter } from "../../core/roll/evidence.ts";
import type { SpiffeId } from "../../core/spiffe/id.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import { createLocalServer, shutdownGrpc } from "../../edge/rpc/grpc-server.ts";
import { addService } from "../../edge/rpc/service-definition.ts";
import { addHealth, addReflection } from "../../edge/rpc/introspection.ts";
import { listenOnUnixSocket } from "../../edge/rpc/unix-listener.ts";
import { IstioCertificateService } from "../../gen/istio/v1/auth/ca_pb.ts";
import { AdminService } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { MeshService as MeshServiceSchema } from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import type { AgentNames } from "./mesh/agent-names.ts";
import { statusHandler } from "./admin-service.ts";
import { signBatchHandler } from "./batch-service.ts";
import { backupHandler } from "./backup-service.ts";
import { bundleHandler } from "./bundle-service.ts";
import { acceptClockHandler } from "./clock-service.ts";
import { denyHandlers } from "./deny-service.ts";
import { CanaryControl } from "./rotation/canary-control.ts";
import { signCanaryHandler } from "./rotation/canary-service.ts";
import { rootHandlers } from "./rotation/root-service.ts";
import { isDistrusted, type IsDistrusted } from "./mesh/distrust.ts";
import { pruneLogHandler } from "./log/log-prune-service.ts";
import { createJoinTokenHandler } from "./join-token-service.ts";
import { mintJwtSvidHandler } from "./jwt-svid-service.ts";
import { MeshService } from "./mesh/mesh-service.ts";
import type { Parts } from "./parts.ts";
import { readManifest } from "./policy/resources/read-manifest.ts";
import { resourceHandlers } from "./policy/resources/resource-service.ts";
import type { Policy } from "./policy/open-policy.ts";
import { callerWaiverHandlers } from "./flips/caller-waiver-service.ts";
import { flipHandlers } from "./flips/flip-service.ts";
import { mtlsHandlers } from "./flips/mtls-service.ts";
import { policyStatusHandler } from "./policy/policy-status-service.ts";

export interface AdminSocketOptions {
  readonly config: ServerConfig;
  readonly policy: Policy;
  readonly version: string;
  readonly startedMs: number;
  readonly nowMs: () => number;
}

/** A renewing agent opens its new stream before the old one ends. */
const agentStreamsMax = 11_000;
const drainMs = 10_000;
const jwtSvidsWaitingMax = 1_024;
const introductionDelayMs = 250;
/** An operator's change of the configuration is made as one, and so is one message. */
const adminMessageMax = 4 * 1_048_576;

export interface MeshOptions {
  readonly policy: Policy;
  readonly nowMs: () => number;
  readonly requestId: () => string;
  /** For each entry of a batch. */
  readonly deadlineMs: number;
}

/** On the CA's port. */
export function serveMesh(
  parts: Parts,
  grpc: GrpcServer,
  { policy, nowMs, requestId, deadlineMs }: MeshOptions,
  owned: AsyncDisposableStack,
): void {
  const { live, roll, events, queue, meshEvents, trust, pods, evidence, ledger } = parts;
  const { assertAdmitted } = parts;
  const isNodeAgent = (id: SpiffeId): boolean =>
    live.config.nodeAgents.some((each) => each.equals(id));
  const authenticate = (token: string, now: number): Caller =>
    live.authentication.authenticate(token, now);
  const refreshKeys = (): Promise<unknown> => live.authentication.refreshKeys();
  const assertNotDenied = (identity: string, serialHex: string): void =>
    parts.denials.assertNotDenied(identity, serialHex);
  const distrusts: IsDistrusted = (peer) => isDistrusted(trust.current.bundle, peer);
  const nameOf: AgentNames["nameOf"] = (peer, claimed) => evidence.names.nameOf(peer, claimed);
  const sessionOf = (reporter: Reporter) => evidence.agents.session(reporter);
  const { proxies } = policy.control;
  const { next, canaries: issuer } = parts.rotation;
  const canaries = new CanaryControl({
    next,
    issuer,
    sessionOf,
    sessions: () => evidence.agents.sessions(),
    listenersOf: (session, proxy) => proxies.listenersOf(session, proxy),
  });
  evidence.view.proveBy(() => canaries.view());
  const mesh = new MeshService({
    roll,
    nameOf,
    events: meshEvents,
    bundle: () => trust.current.bundle,
    podOf: (serialHex) => pods.get(serialHex),
    nodeAgents: { isNodeAgent, authenticate, refreshKeys },
    assertNotDenied,
    farewell: {
      take: (departure) => evidence.farewells.take(departure),
      gone: (reporter, agents) => evidence.view.goodbye(reporter, agents),
    },
    isDistrusted: distrusts,
    sawSkew: (differenceMs) => evidence.skew.saw(differenceMs),
    newestNotAfterMs: (spiffeId) =>
      parts.transparency.reader.certificates.newest(spiffeId)?.validUntilMs ?? 0,
    witnessing: parts.witnesses.witnessing,
    policy: policy.control,
    connections: policy.connections?.intake,
    canaries,
    nowMs,
    streamsMax: agentStreamsMax,
  });
  evidence.agents.serve(mesh);
  const signBatch = signBatchHandler({
    queue,
    events,
    pods,
    isNodeAgent,
    nameOf,
    assertNotDenied,
    isDistrusted: distrusts,
    authenticate,
    nowMs,
    requestId,
    deadlineMs,
  });
  const mintJwtSvid = mintJwtSvidHandler({
    authenticate,
    assertSettled: () => parts.restoration.assertSettled(),
    assertAdmitted,
    ledger,
    refreshKeys,
    trust: () => trust.current,
    ttlSeconds: () => live.config.jwtSvidTtlSeconds,
    events,
    nowMs,
    requestId,
    deadlineMs,
    waitingMax: jwtSvidsWaitingMax,
  });
  addService(grpc, MeshServiceSchema, {
    connect: mesh.connect.bind(mesh),
    signBatch,
    mintJwtSvid,
    signCanary: signCanaryHandler({
      issuer,
      control: canaries,
      sessionOf,
      hasListeners: (session) => proxies.hasListeners(session),
      nameOf,
      assertNotDenied,
      isDistrusted: distrusts,
      requestId,
      nowMs,
    }),
  });
  owned.use(trust.onChange(() => mesh.publishBundle()));
  owned.use(trust.onChange(() => canaries.askAll()));
  owned.use(trust.onChange(() => mesh.forgetDistrusted()));
  owned.use(parts.denials.onChange(() => mesh.endDenied()));
  // Before the port drains: agents' streams have no end of their own.
  owned.defer(() => mesh.endStreams());
  introduce(grpc);
}

export async function openAdminSocket(
  parts: Parts,
  { config, policy, version, startedMs, nowMs }: AdminSocketOptions,
  owned: AsyncDisposableStack,
): Promise<string> {
  const { log, store, live, trust, roll, events, serving, evidence, reloads } = parts;
  const { transparency, keeper, denials } = parts;
  const filed = () => parts.rotation.files.authority;
  const grpc = createLocalServer(adminMessageMax);
  addService(grpc, AdminService, {
    getStatus: statusHandler({
      version,
      startedMs,
      trust: () => trust.current,
      store,
      filed,
      config: () => live.config,
      roll,
      totals: () => events.totals,
      servingNotAfterMs: () => serving.notAfterMs,
      agentsConnected: () => evidence.agents.count(),
      logEntries: () => transparency.reader.head().size,
      logAlarms: () => {
        // What was proven before this process began is no less true.
        const before = (store.facts.recall("log-alarm") ?? "") === "" ? 0 : 1;
        return Math.max(parts.witnesses.alarms.kept.length, before);
      },
      problems: parts.problems,
      reloadRefusals: () => [...reloads.refusals.all, ...parts.rotation.auto.waiting],
      nowMs,
    }),
    getBundle: bundleHandler({
      bundle: () => trust.current.bundle,
      refreshHintSeconds: () => live.config.bundleRefreshHintSeconds,
    }),
    ...denyHandlers({
      denials,
      trustDomain: config.trustDomain,
      certificates: transparency.reader.certificates,
      log,
    }),
    acceptClock: acceptClockHandler({
      accept: (operator, reason) => keeper.acceptClock(operator, reason),
      log,
      nowMs,
    }),
    pruneLog: pruneLogHandler({
      writer: transparency.writer,
      log,
      assertGoodMs: () => keeper.time.assertGood(),
      provenMs: () => keeper.proven.nowMs(),
    }),
    backup: backupHandler({
      dataDir: config.dataDir,
      copyStore: (path) => store.copyTo(path),
      denySequence: () => denials.list.sequence,
      version,
      nowMs,
      record: (event) => keeper.event(event),
      log,
    }),
    ...rootHandlers({
      ...parts.rotation,
      trust: () => trust.current,
      automatic: () => parts.rotation.auto.automatic,
      refusedFiles: () => reloads.refusals.all.filter(({ part }) => part === "ca"),
      store,
      filed,
      config: () => live.config,
      log,
      nowMs,
    }),
    ...resourceHandlers({
      resources: policy.resources,
      trustDomain: config.trustDomain,
      holds: () => policy.flips.flips.holds,
      read: readManifest,
      log,
    }),
    getPolicyStatus: policyStatusHandler(
      policy.control,
      () => policy.resources.set.sequence,
      policy.flips.columns,
    ),
    ...flipHandlers(policy.flips),
    ...mtlsHandlers(policy.flips),
    ...callerWaiverHandlers(policy.flips),
    createJoinToken: createJoinTokenHandler({
      joinTokens: store.joinTokens,
      trustDomain: config.trustDomain,
      record: (event) => keeper.event(event),
      log,
      randomBytes,
      nowMs,
    }),
  });
  const path = join(config.dataDir, "admin.sock");
  owned.use(await listenOnUnixSocket(grpc, path, 0o600));
  owned.defer(() => shutdownGrpc(grpc, drainMs));
  return `unix://${path}`;
}

/** A little later still: what describes the services is large to load. */
function introduce(grpc: GrpcServer): void {
  const services = [IstioCertificateService, MeshServiceSchema];
  const load = async (): Promise<void> => {
    await addHealth(grpc, services);
    await addReflection(grpc, services);
  };
  setTimeout(() => void load(), introductionDelayMs).unref();
}
