/** The control plane's ports: the CA and the mesh over TLS, operators on a Unix socket, probes and scrapers over HTTP. */

import type { Server as GrpcServer } from "@grpc/grpc-js";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Endpoints } from "../../edge/config/endpoints.ts";
import { formatListenAddress } from "../../edge/config/listen-address.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import { addService, createGrpcServer } from "../../edge/rpc/grpc-server.ts";
import { HealthHttp } from "../../edge/rpc/health-http.ts";
import { addHealth, addReflection } from "../../edge/rpc/introspection.ts";
import { TlsListener } from "../../edge/rpc/tls-listener.ts";
import { bindUnixSocket } from "../../edge/rpc/unix-listener.ts";
import { IstioCertificateService } from "../../gen/istio/v1/auth/ca_pb.ts";
import { AdminService } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { MeshService } from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { statusHandler } from "./admin-service.ts";
import { createCertificateHandler } from "./ca-service.ts";
import type { Parts } from "./parts.ts";

export interface PortsOptions {
  readonly config: ServerConfig;
  readonly version: string;
  readonly startedMs: number;
  readonly nowMs: () => number;
  /** Whether shutdown has begun. */
  readonly isDraining: () => boolean;
}

const callDeadlineMs = 10_000;
const handshakeTimeoutMs = 10_000;
const connectionsMax = 30_000;
const drainMs = 10_000;

/** Each port that opens is closed again by `owned`, and so is what opened before a later one fails. */
export async function openPorts(
  parts: Parts,
  options: PortsOptions,
  owned: AsyncDisposableStack,
): Promise<Endpoints> {
  const ca = await openMeshPort(parts, options, owned);
  const admin = await openAdminSocket(parts, options, owned);
  const metrics = await openHealthPort(parts, options, owned);
  return { pid: process.pid, ca, admin, metrics };
}

async function openMeshPort(
  parts: Parts,
  { config, nowMs }: PortsOptions,
  owned: AsyncDisposableStack,
): Promise<string> {
  const grpc = createGrpcServer();
  const { queue, events, meshEvents, mesh, serving, pods } = parts;
  addService(grpc, IstioCertificateService, {
    createCertificate: createCertificateHandler({
      queue,
      events,
      pods,
      nowMs,
      requestId: randomUUID,
      deadlineMs: callDeadlineMs,
    }),
  });
  addService(grpc, MeshService, { connect: mesh.connect.bind(mesh) });
  const listener = new TlsListener(grpc, serving.certificate, {
    handshakeTimeoutMs,
    connectionsMax,
    onRefused: (reason) => meshEvents.connectionRefused(reason),
  });
  serving.attach(listener);
  owned.defer(() => shutdown(grpc, () => listener.drain(drainMs)));
  const { port } = await listener.listen(config.listen.host, config.listen.port);
  introduce(grpc);
  return formatListenAddress({ host: config.listen.host, port });
}

async function openAdminSocket(
  { trust, roll, events, serving, mesh }: Parts,
  { config, version, startedMs, nowMs }: PortsOptions,
  owned: AsyncDisposableStack,
): Promise<string> {
  const grpc = createGrpcServer();
  addService(grpc, AdminService, {
    getStatus: statusHandler({
      version,
      startedMs,
      trust: () => trust,
      roll,
      totals: () => events.totals,
      servingNotAfterMs: () => serving.certificate.notAfterMs,
      agentsConnected: () => mesh.agentsConnected,
      nowMs,
    }),
  });
  const path = join(config.dataDir, "admin.sock");
  owned.defer(() => shutdown(grpc));
  await bindUnixSocket(grpc, path, 0o600);
  return `unix://${path}`;
}

async function openHealthPort(
  { metrics }: Parts,
  { config, isDraining }: PortsOptions,
  owned: AsyncDisposableStack,
): Promise<string> {
  const http = owned.use(
    new HealthHttp({
      metrics: async () => ({
        contentType: metrics.registry.contentType,
        text: await metrics.registry.metrics(),
      }),
      notReady: () => (isDraining() ? "draining" : undefined),
    }),
  );
  const { host } = config.metricsListen;
  const { port } = await http.listen(host, config.metricsListen.port);
  return `http://${formatListenAddress({ host, port })}`;
}

/** After the first callers are served: what describes the services is large to load. */
function introduce(grpc: GrpcServer): void {
  const services = [IstioCertificateService, MeshService];
  setImmediate(() => {
    void Promise.all([addHealth(grpc, services), addReflection(grpc, services)]);
  });
}

/** Lets calls finish, but no longer than the drain time: agents' streams have no end of their own. */
async function shutdown(grpc: GrpcServer, stopAccepting: () => void = () => {}): Promise<void> {
  stopAccepting();
  await new Promise<void>((resolve) => {
    const force = setTimeout(() => grpc.forceShutdown(), drainMs);
    grpc.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}
