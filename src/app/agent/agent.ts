/**
 * The sidecar agent, put together: it certifies one workload, serves its Envoys, and tells the
 * control plane what they proved.
 */

import type { Server } from "@grpc/grpc-js";
import { proxyKey, type ProxyEvidence } from "../../core/roll/evidence.ts";
import type { SpiffeId, TrustDomain } from "../../core/spiffe/id.ts";
import { ensurePrivateDir } from "../../edge/config/private-files.ts";
import { createLocalServer } from "../../edge/rpc/grpc-server.ts";
import { addReflection } from "../../edge/rpc/introspection.ts";
import { addService } from "../../edge/rpc/service-definition.ts";
import { listenOnUnixSocket } from "../../edge/rpc/unix-listener.ts";
import { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import type { Logger } from "../../edge/telemetry/logger.ts";
import { AggregatedDiscoveryService } from "../../gen/envoy/service/discovery/v3/ads_pb.ts";
import { SecretDiscoveryService } from "../../gen/envoy/service/secret/v3/sds_pb.ts";
import { SpiffeWorkloadAPI } from "../../gen/spiffe/workload/workload_pb.ts";
import { loadAgentId } from "./agent-id.ts";
import { ofAgent, openReaders, runUntilEnd } from "./agent-run.ts";
import type { BundleReaders } from "./bundle-readers.ts";
import { Certifier } from "./certifier.ts";
import { openConnections, type AgentConnections } from "./connections/open-connections.ts";
import type { CredentialSource } from "./credential.ts";
import { MeshLink } from "./mesh-link.ts";
import type { Evidence } from "./mesh-report.ts";
import { readOwnSet, validSet } from "./own-set.ts";
import { proxyEvidence } from "./proxy-evidence.ts";
import { AgentPolicies } from "./policy/agent-policies.ts";
import { PolicyOwner } from "./policy/policy-owner.ts";
import { addPolicyServices } from "./policy-services.ts";
import { ProxyMemory } from "./proxy-memory.ts";
import { SdsService } from "./sds-service.ts";
import { SecretChannel } from "./secret-channel.ts";
import { SecretPublisher } from "./secret-publisher.ts";
import { serialOf } from "./secret-response.ts";
import { encodeBundleSecrets, encodeCertificateSecrets, nothingYet } from "./secrets.ts";
import { lockStateDir } from "./state-lock.ts";
import { tokenAgreesWith } from "./token-identity.ts";
import { WorkloadApi } from "./workload-api/workload-api.ts";
import type { WorkloadSet } from "./workload-set.ts";
import { XdsCalls, xdsMessageBytesMax, type XdsPeer } from "./xds-calls.ts";

export interface AgentOptions {
  readonly server: string;
  readonly serverRootFile: string;
  readonly credential: CredentialSource;
  readonly stateDir: string;
  readonly sdsSocket: string;
  readonly sdsSocketMode: number;
  readonly trustDomain: TrustDomain | undefined;
  readonly ttlSeconds: number;
  /** The workload ends with the agent: at the signal its keys are destroyed, and the server is told so. */
  readonly goodbye: boolean;
  readonly version: string;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly random: () => number;
}

const sdsStreamsMax = 256;
const introductionDelayMs = 250;

/**
 * Resolves after the signal, when everything is closed. @throws PrivateFileError, UnixSocketError
 * at start
 */
export async function runAgent(options: AgentOptions, signal: AbortSignal): Promise<void> {
  const { nowMs, sdsSocket, stateDir } = options;
  const events = new AgentEvents(options.log);
  await ensurePrivateDir(stateDir);
  await using owned = new AsyncDisposableStack();
  owned.use(await lockStateDir(stateDir));
  const stored = await readOwnSet(stateDir, (id) => isOwn(id, options), events);
  const agentId = await loadAgentId(stateDir);
  const readers = owned.use(await openReaders(options, events, () => parts.link.evidenceChanged()));
  const proxies = await ProxyMemory.open({ stateDir, events, nowMs });
  const onChange = (): void => parts.link.policiesChanged();
  const policies = await AgentPolicies.open({ stateDir, events, nowMs, onChange });
  const connections = await openConnections({ stateDir, events, nowMs });
  const found = { agentId, events, stored, readers, proxies, policies, connections };
  const parts: AgentParts = connectParts(options, found, owned);
  const { certifier, link, peer, workloadApi } = parts;
  const grpc = createLocalServer(xdsMessageBytesMax);
  const calls = new XdsCalls(() => peer, sdsStreamsMax);
  new SdsService(calls).addTo(grpc);
  const { log } = options;
  const { feed, memory } = connections;
  const services = { feed: policies, connections: feed, namesWorkload: false, log, nowMs };
  owned.use(addPolicyServices(grpc, calls, services));
  addService(grpc, SpiffeWorkloadAPI, workloadApi.handlers);
  introduce(grpc);
  const listening = await listenOnUnixSocket(grpc, sdsSocket, options.sdsSocketMode);
  owned.use(listening);
  events.started(sdsSocket, validSet(stored, nowMs())?.certificate);
  const destroy = async (): Promise<void> => {
    listening[Symbol.dispose]();
    await certifier.held.destroy();
    await readers.destroy();
    await proxies.destroy();
    await policies.destroy();
    await memory.destroy();
  };
  const ending = options.goodbye ? { link, events, destroy } : undefined;
  await runUntilEnd({ certifier, link, ending }, signal);
  await Promise.all([readers, proxies, policies, memory].map(async (each) => each.settled()));
}

interface AgentParts {
  readonly certifier: Certifier;
  readonly link: MeshLink;
  readonly peer: XdsPeer;
  readonly workloadApi: WorkloadApi;
}

interface AgentFound {
  readonly agentId: string;
  readonly events: AgentEvents;
  readonly stored: WorkloadSet | undefined;
  readonly readers: BundleReaders;
  readonly proxies: ProxyMemory;
  readonly policies: AgentPolicies;
  readonly connections: AgentConnections;
}

/** New sets go to the proxies, their answers to the server, and its bundles into the next set. */
function connectParts(
  options: AgentOptions,
  { agentId, events, stored, readers, proxies, policies, connections }: AgentFound,
  owned: AsyncDisposableStack,
): AgentParts {
  const { nowMs, version, credential } = options;
  const channel: SecretChannel = new SecretChannel(
    {
      nowMs,
      streamsMax: sdsStreamsMax,
      onEvidence: () => link.evidenceChanged(),
      onCertificate: ({ subscriber }, certificate) =>
        proxies.sent({ proxyId: subscriber.node?.id ?? "" }, certificate),
      beforeAnswer: () => publisher.withdrawExpired(),
      onFact: (stream, fact) =>
        events.secretAnswered(stream.subscriber.node?.id ?? "", fact, serialOf(stream, fact)),
      onBundleFetched: () => {
        if (certifier.set !== undefined) readers.fetched(certifier.set);
      },
    },
    nothingYet,
  );
  const publish = channel.publish.bind(channel);
  const publisher: SecretPublisher = owned.use(new SecretPublisher({ events, nowMs, publish }));
  const owner = new PolicyOwner();
  if (stored !== undefined) owner.know(stored.certificate.id);
  const publishSet = ({ certificate, bundle }: WorkloadSet): void => {
    publisher.publish(encodeCertificateSecrets(certificate), encodeBundleSecrets(bundle));
    owner.know(certificate.id);
  };
  // A whole rotation may have passed by an expired one: what its Envoys hold may be newer, and there is no leaf to go with it.
  const valid = validSet(stored, nowMs());
  if (valid !== undefined) publishSet(valid);
  const onChange = (set: WorkloadSet): void => {
    publishSet(set);
    link.setChanged();
    workloadApi.setChanged();
  };
  const certifier: Certifier = new Certifier({ ...options, agentId, events, onChange }, stored);
  const held = (): WorkloadSet | undefined => validSet(certifier.set, nowMs());
  const serverRoots = async (): Promise<Uint8Array> => certifier.serverRoots();
  const workloadApi: WorkloadApi = owned.use(
    new WorkloadApi({
      ...options,
      serverRoots,
      tokenFile: credential.kind === "token" ? credential.file : undefined,
      set: held,
      listen: () => readers.listen(),
      onProblem: (error) => events.workloadApiFailed(error),
      onEvidence: () => link.evidenceChanged(),
    }),
  );
  const link: MeshLink = new MeshLink({
    ...options,
    serverRoots,
    agentId,
    agentVersion: version,
    events,
    policies,
    connections: connections.reports,
    set: held,
    known: () => {
      const evidence = withStreams(proxyEvidence(channel.streams), workloadApi.evidence());
      const remembered = proxies.look(evidence);
      return { evidence, remembered, tokens: [], ...ofAgent(certifier.held, readers) };
    },
    onVerified: (root) => void certifier.dialled(root),
    onBundle: (bundle) => {
      certifier.held.takeBundle(bundle).catch((error: unknown) => events.bundleNotKept(error));
    },
    onRenew: (serials) => certifier.renewNow(serials),
  });
  return { certifier, link, peer: { channel, owner }, workloadApi };
}

function withStreams(proxies: Evidence, streams: readonly ProxyEvidence[]): Evidence {
  return new Map([...proxies, ...streams.map((each) => [proxyKey(each), each] as const)]);
}

/** A little later: what describes the services is large to load, and no Envoy asks for it. */
function introduce(grpc: Server): void {
  const services = [AggregatedDiscoveryService, SecretDiscoveryService, SpiffeWorkloadAPI];
  setTimeout(() => void addReflection(grpc, services), introductionDelayMs).unref();
}

async function isOwn(id: SpiffeId, { trustDomain, credential }: AgentOptions): Promise<boolean> {
  const isOfTrustDomain = trustDomain === undefined || id.trustDomain.equals(trustDomain);
  if (credential.kind !== "token") return isOfTrustDomain;
  return isOfTrustDomain && (await tokenAgreesWith(credential.file, id));
}
