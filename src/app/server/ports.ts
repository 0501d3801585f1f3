/**
 * The control plane's ports: the CA and the mesh over TLS, operators on a Unix socket, probes and scrapers over HTTP. The CA
 * opens before the code of the others is loaded, because a mesh whose control plane restarts waits for certificates
 * first.
 */

import type { Server as GrpcServer } from "@grpc/grpc-js";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Endpoints } from "../../edge/config/endpoints.ts";
import { formatListenAddress } from "../../edge/config/listen-address.ts";
import { createCertificateMethod } from "../../edge/rpc/ca-messages.ts";
import { createNetworkServer, shutdownGrpc } from "../../edge/rpc/grpc-server.ts";
import { HealthHttp } from "../../edge/rpc/health-http.ts";
import { TlsListener } from "../../edge/rpc/tls-listener.ts";
import { createCertificateHandler } from "./ca-service.ts";
import type { AdminSocketOptions } from "./admin-handlers.ts";
import type { Parts } from "./parts.ts";
import { servingNames } from "./serving-names.ts";
import type { Policy } from "./policy/open-policy.ts";
import { unlessInterrupted } from "./signing/start-proof.ts";

export interface PortsOptions extends Omit<AdminSocketOptions, "policy"> {
  /** Aborted when shutdown begins. */
  readonly signal: AbortSignal;
}

/** By when a request must be complete, and by when it must be answered. */
const callDeadlineMs = 10_000;
const handshakeTimeoutMs = 10_000;
/** An idle TLS connection was seen to cost 77 KiB. */
const connectionsMax = 12_288;
const drainMs = 10_000;
const clockLookMs = 250;
/** Agents keep a stream open; its path is written here because its code is not loaded yet. */
const endlessMethods = ["/portcullis.mesh.v1.MeshService/Connect"];

/** Each port that opens is closed again by `owned`, and so is what opened before a later one fails. */
export async function openPorts(
  parts: Parts,
  options: PortsOptions,
  owned: AsyncDisposableStack,
): Promise<Endpoints> {
  const readiness = { isOpen: false };
  // First to open and last to close, so that a probe learns of the drain while calls finish.
  const metrics = await openHealthPort(parts, options, readiness, owned);
  let opened: Promise<Policy> | undefined;
  const policy = (): Promise<Policy> => (opened ??= openPolicy(parts, options, owned));
  const early = await waitForClock(parts, options, policy, owned);
  await parts.serving.open();
  const { ca, grpc } = await openCaPort(parts, options, owned);
  const { openAdminSocket, serveMesh } = await import("./late-ports.ts");
  const late = { ...options, policy: await policy() };
  const mesh = { ...late, requestId: randomUUID, deadlineMs: callDeadlineMs };
  serveMesh(parts, grpc, mesh, owned);
  const admin = early ?? (await openAdminSocket(parts, late, owned));
  await openAdminPort(parts, late, owned);
  await openWrites(parts, late, owned);
  const bundle = await openBundlePort(parts, options, owned);
  await openGuardPort(parts, late, owned);
  readiness.isOpen = true;
  return { pid: process.pid, ca, admin, metrics, ...(bundle !== undefined && { bundle }) };
}

/**
 * A server that starts on a clock behind its log signs nothing, nor a certificate of its own. Whoever accepts the clock has
 * to find it all the same.
 * @returns the operators' address, if it is open already
 * @throws StartError
 */
async function waitForClock(
  parts: Parts,
  options: PortsOptions,
  policy: () => Promise<Policy>,
  owned: AsyncDisposableStack,
): Promise<string | undefined> {
  const isGood = (): boolean => parts.keeper.time.status.kind === "ok";
  if (isGood()) return undefined;
  const { openAdminSocket } = await import("./late-ports.ts");
  const admin = await openAdminSocket(parts, { ...options, policy: await policy() }, owned);
  const hint = `set the clock right, or: portcullis clock accept --data-dir ${options.config.dataDir}`;
  parts.log.error({ event: "clock-waiting", admin, hint }, "waiting for a clock that is good");
  while (!isGood()) await unlessInterrupted(options.signal, sleep(clockLookMs));
  return admin;
}

/** After the CA's port: YAML's library alone is larger than all that the first certificate needs. */
async function openPolicy(
  parts: Parts,
  options: PortsOptions,
  owned: AsyncDisposableStack,
): Promise<Policy> {
  const { openPolicy: open } = await import("./policy/open-policy.ts");
  return await open(parts, options, owned);
}

async function openCaPort(
  parts: Parts,
  { config, nowMs }: PortsOptions,
  owned: AsyncDisposableStack,
): Promise<{ readonly ca: string; readonly grpc: GrpcServer }> {
  const grpc = createNetworkServer({ requestTimeoutMs: callDeadlineMs, endless: endlessMethods });
  const { live, queue, events, meshEvents, serving, pods } = parts;
  const createCertificate = createCertificateHandler({
    queue,
    authentication: () => live.authentication,
    events,
    pods,
    nowMs,
    requestId: randomUUID,
    deadlineMs: callDeadlineMs,
  });
  grpc.addService({ createCertificate: createCertificateMethod }, { createCertificate });
  const listener = new TlsListener(grpc, serving.certificate, {
    handshakeTimeoutMs,
    connectionsMax,
    onRefused: (reason) => meshEvents.connectionRefused(reason),
  });
  serving.attach(listener);
  owned.defer(async () => {
    await Promise.all([listener.drain(drainMs), shutdownGrpc(grpc, drainMs)]);
  });
  const { port } = await listener.listen(config.listen.host, config.listen.port);
  return { ca: formatListenAddress({ host: config.listen.host, port }), grpc };
}

/** For operators with a token of the server's cluster. */
async function openAdminPort(
  parts: Parts,
  options: AdminSocketOptions,
  owned: AsyncDisposableStack,
): Promise<void> {
  const { connection } = parts.kube ?? {};
  if (connection === undefined || options.config.adminListen === undefined) return;
  const { openAdminListener } = await import("./kube/operators/admin-listener.ts");
  await openAdminListener(parts, { ...options, connection }, owned);
}

/** Into the server's cluster: none of it is waited for. */
async function openWrites(
  parts: Parts,
  { config, policy, nowMs }: AdminSocketOptions,
  owned: AsyncDisposableStack,
): Promise<void> {
  const { kube, events } = parts;
  if (kube === undefined) return;
  const { openKubeWrites } = await import("./kube/writes/open-writes.ts");
  const options = { kube, policy, config, nowMs };
  const { refusals, bundleMaps, rootMaps } = openKubeWrites(parts, options, owned);
  Object.assign(parts.bundleMaps, { state: bundleMaps, roots: rootMaps });
  events.tellRefusals((caller, error) => refusals.take(caller, error));
}

/** Where the cluster's API server asks before it takes a change. */
async function openGuardPort(
  parts: Parts,
  { config, policy, nowMs }: AdminSocketOptions,
  owned: AsyncDisposableStack,
): Promise<void> {
  const { kube } = parts;
  if (kube === undefined || config.guard === "off") return;
  const { openGuard } = await import("./kube/guard/open-guard.ts");
  const guard = await openGuard(parts, { policy, kube, config, nowMs }, owned);
  if (guard !== undefined) Object.assign(parts.guard, { root: guard.root, report: guard.report });
}

/** Undefined where the endpoint is off. */
async function openBundlePort(
  { trust, live, log, issueServing, bundleEndpoint }: Parts,
  { config, nowMs }: PortsOptions,
  owned: AsyncDisposableStack,
): Promise<string | undefined> {
  const { bundleListen: listen, bundleCertificate: certificate, bundleKey: key } = config;
  if (listen === undefined) return undefined;
  const { BundleEndpoint } = await import("./bundle-endpoint.ts");
  const files = certificate === undefined || key === undefined ? undefined : { certificate, key };
  const endpoint = owned.use(
    await BundleEndpoint.open({
      listen,
      files,
      names: () => servingNames({ ...live.config, listen }),
      refreshHintSeconds: () => live.config.bundleRefreshHintSeconds,
      trust,
      issue: issueServing,
      log,
      nowMs,
    }),
  );
  bundleEndpoint.renew = () => void endpoint.renew();
  bundleEndpoint.notAfterMs = () => endpoint.notAfterMs;
  bundleEndpoint.root = () => endpoint.root;
  return endpoint.url;
}

async function openHealthPort(
  { metrics, transparency, problems, restoration }: Parts,
  { config, signal }: PortsOptions,
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
        if (signal.aborted) return "draining";
        return problems()[0]?.detail ?? (readiness.isOpen ? undefined : "starting");
      },
      // A restored log may be behind what was shown before: it is shown to nobody until the log itself says so.
      log: () => (restoration.isSettled ? transparency.reader : undefined),
    }),
  );
  const { host } = config.metricsListen;
  const { port } = await http.listen(host, config.metricsListen.port);
  return `http://${formatListenAddress({ host, port })}`;
}
