/** The control plane's ports: the CA and the mesh over TLS, operators on a Unix socket, probes and scrapers over HTTP. */

import type { Server as GrpcServer } from "@grpc/grpc-js";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Endpoints } from "../../edge/config/endpoints.ts";
import { formatListenAddress } from "../../edge/config/listen-address.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import { createCertificateMethod } from "../../edge/rpc/ca-messages.ts";
import { addService, createGrpcServer } from "../../edge/rpc/grpc-server.ts";
import { HealthHttp } from "../../edge/rpc/health-http.ts";
import { addHealth, addReflection } from "../../edge/rpc/introspection.ts";
import { methodDefinition } from "../../edge/rpc/service-definition.ts";
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
const introductionDelayMs = 250;

/** Each port that opens is closed again by `owned`, and so is what opened before a later one fails. */
export async function openPorts(
  parts: Parts,
  options: PortsOptions,
  owned: AsyncDisposableStack,
): Promise<Endpoints> {
  const readiness = { isOpen: false };
  // First to open and last to close, so that a probe learns of the drain while calls finish.
  const metrics = await openHealthPort(parts, options, readiness, owned);
  const ca = await openMeshPort(parts, options, owned);
  const admin = await openAdminSocket(parts, options, owned);
  readiness.isOpen = true;
  return { pid: process.pid, ca, admin, metrics };
}

async function openMeshPort(
  parts: Parts,
  { config, nowMs }: PortsOptions,
  owned: AsyncDisposableStack,
): Promise<string> {
  const grpc = createGrpcServer({
    requestTimeoutMs: callDeadlineMs,
    endless: [methodDefinition(MeshService, MeshService.method.connect).path],
  });
  const { queue, events, meshEvents, mesh, serving, pods } = parts;
  grpc.addService(
    { createCertificate: createCertificateMethod },
    {
      createCertificate: createCertificateHandler({
        queue,
        events,
        pods,
        nowMs,
        requestId: randomUUID,
        deadlineMs: callDeadlineMs,
      }),
    },
  );
  addService(grpc, MeshService, { connect: mesh.connect.bind(mesh) });
  const listener = new TlsListener(grpc, serving.certificate, {
    handshakeTimeoutMs,
    connectionsMax,
    onRefused: (reason) => meshEvents.connectionRefused(reason),
  });
  serving.attach(listener);
  const stopAccepting = (): void => {
    listener.drain(drainMs);
    mesh.endStreams();
  };
  owned.defer(() => shutdown(grpc, stopAccepting));
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
  readiness: { readonly isOpen: boolean },
  owned: AsyncDisposableStack,
): Promise<string> {
  const http = owned.use(
    new HealthHttp({
      metrics: async () => ({
        contentType: metrics.registry.contentType,
        text: await metrics.registry.metrics(),
      }),
      notReady: () => {
        if (isDraining()) return "draining";
        return readiness.isOpen ? undefined : "starting";
      },
    }),
  );
  const { host } = config.metricsListen;
  const { port } = await http.listen(host, config.metricsListen.port);
  return `http://${formatListenAddress({ host, port })}`;
}

/** A little later: what describes the services is large to load, and the first callers do not wait for it. */
function introduce(grpc: GrpcServer): void {
  const services = [IstioCertificateService, MeshService];
  const load = async (): Promise<void> => {
    await addHealth(grpc, services);
    await addReflection(grpc, services);
  };
  setTimeout(() => void load(), introductionDelayMs).unref();
}

/** Lets calls finish, but no longer than the drain time: a watch of the health has no end of its own. */
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
