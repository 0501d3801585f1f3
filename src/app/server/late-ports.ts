/** What is served, but not waited for by the first certificate: agents' streams, operators, health and reflection. */

import type { Server as GrpcServer } from "@grpc/grpc-js";
import { join } from "node:path";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import { createLocalServer, shutdownGrpc } from "../../edge/rpc/grpc-server.ts";
import { addService } from "../../edge/rpc/service-definition.ts";
import { addHealth, addReflection } from "../../edge/rpc/introspection.ts";
import { listenOnUnixSocket } from "../../edge/rpc/unix-listener.ts";
import { IstioCertificateService } from "../../gen/istio/v1/auth/ca_pb.ts";
import { AdminService } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { MeshService as MeshServiceSchema } from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { statusHandler } from "./admin-service.ts";
import { MeshService } from "./mesh-service.ts";
import type { Parts } from "./parts.ts";

export interface AdminSocketOptions {
  readonly config: ServerConfig;
  readonly version: string;
  readonly startedMs: number;
  readonly nowMs: () => number;
}

const agentStreamsMax = 10_000;
const drainMs = 10_000;
const introductionDelayMs = 250;

/** On the CA's port. */
export function serveMesh(
  { roll, meshEvents, trust, pods, agents }: Parts,
  grpc: GrpcServer,
  nowMs: () => number,
  owned: AsyncDisposableStack,
): void {
  const mesh = new MeshService({
    roll,
    events: meshEvents,
    bundle: () => trust.bundle,
    podOf: (serialHex) => pods.get(serialHex),
    nowMs,
    streamsMax: agentStreamsMax,
  });
  agents.count = () => mesh.agentsConnected;
  addService(grpc, MeshServiceSchema, { connect: mesh.connect.bind(mesh) });
  // Before the port drains: agents' streams have no end of their own.
  owned.defer(() => mesh.endStreams());
  introduce(grpc);
}

export async function openAdminSocket(
  { trust, roll, events, serving, agents }: Parts,
  { config, version, startedMs, nowMs }: AdminSocketOptions,
  owned: AsyncDisposableStack,
): Promise<string> {
  const grpc = createLocalServer();
  addService(grpc, AdminService, {
    getStatus: statusHandler({
      version,
      startedMs,
      trust: () => trust,
      roll,
      totals: () => events.totals,
      servingNotAfterMs: () => serving.certificate.notAfterMs,
      agentsConnected: () => agents.count(),
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
