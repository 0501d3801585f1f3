/** What is served, but not waited for by the first certificate: agents' streams, operators, health and reflection. */

import type { Server as GrpcServer } from "@grpc/grpc-js";
import { join } from "node:path";
import type { Caller } from "../../core/identity/caller.ts";
import type { Reporter } from "../../core/roll/evidence.ts";
import type { SpiffeId } from "../../core/spiffe/id.ts";
import { admitClaimed } from "../../edge/rpc/admin-door.ts";
import { createLocalServer, shutdownGrpc } from "../../edge/rpc/grpc-server.ts";
import { addService } from "../../edge/rpc/service-definition.ts";
import { addHealth, addReflection } from "../../edge/rpc/introspection.ts";
import { listenOnUnixSocket } from "../../edge/rpc/unix-listener.ts";
import { IstioCertificateService } from "../../gen/istio/v1/auth/ca_pb.ts";
import { AdminService } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { MeshService as MeshServiceSchema } from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import type { AgentNames } from "./mesh/agent-names.ts";
import { signBatchHandler } from "./batch-service.ts";
import { CanaryControl } from "./rotation/canary-control.ts";
import { signCanaryHandler } from "./rotation/canary-service.ts";
import { isDistrusted, type IsDistrusted } from "./mesh/distrust.ts";
import { mintJwtSvidHandler } from "./jwt-svid-service.ts";
import { MeshService } from "./mesh/mesh-service.ts";
import { ADMIN_MESSAGE_MAX, adminHandlers, type AdminSocketOptions } from "./admin-handlers.ts";
import type { Parts } from "./parts.ts";
import type { Policy } from "./policy/open-policy.ts";

/** A renewing agent opens its new stream before the old one ends. */
const agentStreamsMax = 11_000;
const drainMs = 10_000;
const jwtSvidsWaitingMax = 1_024;
const introductionDelayMs = 250;

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
  /** @param from nowhere for what a node agent brings in the place of its holder */
  const authenticate = (token: string, now: number, from?: string): Caller =>
    live.authentication.authenticate(token, now, from);
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
    assertSettled: parts.assertMaySign,
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
  options: AdminSocketOptions,
  owned: AsyncDisposableStack,
): Promise<string> {
  const grpc = createLocalServer(ADMIN_MESSAGE_MAX, [admitClaimed()]);
  addService(grpc, AdminService, adminHandlers(parts, options));
  const path = join(options.config.dataDir, "admin.sock");
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
