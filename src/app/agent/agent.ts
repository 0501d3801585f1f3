/**
 * The sidecar agent, put together: it certifies one workload, serves its Envoys, and tells the
 * control plane what they proved.
 */

import type { TrustDomain } from "../../core/spiffe/id.ts";
import type { XdsFact } from "../../core/xds/subscription.ts";
import { ensurePrivateDir } from "../../edge/config/private-files.ts";
import { createLocalServer } from "../../edge/rpc/grpc-server.ts";
import { addService } from "../../edge/rpc/service-definition.ts";
import { listenOnUnixSocket } from "../../edge/rpc/unix-listener.ts";
import { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import type { Logger } from "../../edge/telemetry/logger.ts";
import { SecretDiscoveryService } from "../../gen/envoy/service/secret/v3/sds_pb.ts";
import { loadAgentId } from "./agent-id.ts";
import { Certifier } from "./certifier.ts";
import { MeshLink } from "./mesh-link.ts";
import { proxyEvidence } from "./proxy-evidence.ts";
import { SecretPublisher } from "./secret-publisher.ts";
import { SdsService, type SdsStream } from "./sds-service.ts";
import { secretSnapshot } from "./secrets.ts";
import { lockStateDir } from "./state-lock.ts";
import { tokenAgreesWith } from "./token-identity.ts";
import { readWorkloadSet, StateFileError, type WorkloadSet } from "./workload-set.ts";

export interface AgentOptions {
  readonly server: string;
  readonly serverRootFile: string;
  readonly tokenFile: string;
  readonly stateDir: string;
  readonly sdsSocket: string;
  readonly sdsSocketMode: number;
  readonly trustDomain: TrustDomain | undefined;
  readonly ttlSeconds: number;
  readonly version: string;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly random: () => number;
}

const sdsStreamsMax = 256;

/**
 * Resolves after the signal, when everything is closed. @throws PrivateFileError, UnixSocketError
 * at start
 */
export async function runAgent(options: AgentOptions, signal: AbortSignal): Promise<void> {
  const { nowMs, sdsSocket } = options;
  const events = new AgentEvents(options.log);
  await ensurePrivateDir(options.stateDir);
  await using owned = new AsyncDisposableStack();
  owned.use(await lockStateDir(options.stateDir));
  const stored = await readStored(options, events);
  const agentId = await loadAgentId(options.stateDir);
  const { certifier, link, sds } = connectParts(options, agentId, events, stored, owned);
  const grpc = createLocalServer();
  addService(grpc, SecretDiscoveryService, {
    streamSecrets: sds.streamSecrets.bind(sds),
    deltaSecrets: sds.deltaSecrets.bind(sds),
    fetchSecrets: sds.fetchSecrets.bind(sds),
  });
  owned.use(await listenOnUnixSocket(grpc, sdsSocket, options.sdsSocketMode));
  events.started(sdsSocket, valid(stored, nowMs())?.certificate);
  await Promise.all([certifier.run(signal), link.run(signal)]);
}

interface AgentParts {
  readonly certifier: Certifier;
  readonly link: MeshLink;
  readonly sds: SdsService;
}

/** New sets go to the proxies, their answers to the server, and its bundles into the next set. */
function connectParts(
  options: AgentOptions,
  agentId: string,
  events: AgentEvents,
  stored: WorkloadSet | undefined,
  owned: AsyncDisposableStack,
): AgentParts {
  const { nowMs, server, serverRootFile, version, random } = options;
  const sds: SdsService = new SdsService(
    {
      nowMs,
      streamsMax: sdsStreamsMax,
      onEvidence: () => link.evidenceChanged(),
      beforeAnswer: () => publisher.withdrawExpired(),
      onFact: (stream, fact) =>
        events.secretAnswered(stream.subscriber.node?.id ?? "", fact, serialOf(stream, fact)),
    },
    secretSnapshot(stored, nowMs()),
  );
  const publisher: SecretPublisher = owned.use(
    new SecretPublisher({ events, nowMs, publish: (snapshot) => sds.publish(snapshot) }),
  );
  if (stored !== undefined) publisher.publish(stored);
  const onChange = (set: WorkloadSet): void => {
    publisher.publish(set);
    link.setChanged();
  };
  const certifier = new Certifier({ ...options, events, onChange }, stored);
  const link: MeshLink = new MeshLink({
    server,
    serverRootFile,
    agentId,
    agentVersion: version,
    events,
    random,
    set: () => valid(certifier.set, nowMs()),
    evidence: () => proxyEvidence(sds.streams),
    onBundle: (bundle) => {
      certifier.takeBundle(bundle).catch((error: unknown) => events.bundleNotKept(error));
    },
  });
  return { certifier, link, sds };
}

/** A set that cannot be used is worth less than a new one: it is reported, and asked for again. */
async function readStored(
  options: AgentOptions,
  events: AgentEvents,
): Promise<WorkloadSet | undefined> {
  try {
    const stored = await readWorkloadSet(options.stateDir);
    if (stored !== undefined) await assertOwn(stored, options);
    return stored;
  } catch (error) {
    if (!(error instanceof StateFileError)) throw error;
    events.stateUnreadable(error);
    return undefined;
  }
}

/** A directory that was another workload's must not give this one its key. @throws StateFileError */
async function assertOwn(
  { certificate: { id } }: WorkloadSet,
  { trustDomain, tokenFile }: AgentOptions,
): Promise<void> {
  const isOfTrustDomain = trustDomain === undefined || id.trustDomain.equals(trustDomain);
  if (isOfTrustDomain && (await tokenAgreesWith(tokenFile, id))) return;
  throw new StateFileError("state-file-foreign", `the stored certificate is of ${id.toString()}`, {
    hint: "give each workload a state directory of its own",
  });
}

function valid(set: WorkloadSet | undefined, nowMs: number): WorkloadSet | undefined {
  return set !== undefined && nowMs < set.certificate.notAfterMs ? set : undefined;
}

function serialOf({ subscriber }: SdsStream, fact: XdsFact): string | undefined {
  if (fact.kind !== "acked") return undefined;
  return subscriber.subscriptions.get(fact.name)?.acked?.evidence.certificate?.serialHex;
}
