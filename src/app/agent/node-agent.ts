/**
 * The node agent, put together: one socket for all Envoys of a node, each of whose streams brings its workload's token. The
 * agent believes no token. The server's answer to the token's CSR is the verification, and nothing is served before it.
 */

import type { SpiffeId } from "../../core/spiffe/id.ts";
import { PortcullisError } from "../../core/error.ts";
import { encodeCertificates, encodePem } from "../../core/x509/pem.ts";
import { ensurePrivateDir } from "../../edge/config/private-files.ts";
import { BatchClient } from "../../edge/rpc/batch-client.ts";
import type { DialOptions } from "../../edge/rpc/dial.ts";
import { createLocalServer } from "../../edge/rpc/grpc-server.ts";
import { listenOnUnixSocket } from "../../edge/rpc/unix-listener.ts";
import { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import { loadAgentId } from "./agent-id.ts";
import { ofAgent, openReaders, runUntilEnd } from "./agent-run.ts";
import type { AgentOptions } from "./agent.ts";
import { BatchSigner } from "./batch-signer.ts";
import type { BundleReaders } from "./bundle-readers.ts";
import { Certifier } from "./certifier.ts";
import { openConnections, type AgentConnections } from "./connections/open-connections.ts";
import { MeshLink } from "./mesh-link.ts";
import type { Evidence, Known, ShownToken } from "./mesh-report.ts";
import { readOwnSet, validSet } from "./own-set.ts";
import { AgentPolicies } from "./policy/agent-policies.ts";
import { addPolicyServices } from "./policy-services.ts";
import { ProxyMemory } from "./proxy-memory.ts";
import { SdsService } from "./sds-service.ts";
import {
  encodeBundleSecrets,
  encodeCertificateSecrets,
  isUnder,
  type BundleSecrets,
} from "./secrets.ts";
import { lockStateDir } from "./state-lock.ts";
import { Workloads } from "./workloads.ts";
import type { WorkloadSet } from "./workload-set.ts";
import { WorkloadStore, type VerifiedCertificate } from "./workload-store.ts";
import { XdsCalls, xdsMessageBytesMax } from "./xds-calls.ts";

export interface NodeAgentOptions extends Omit<AgentOptions, "trustDomain"> {
  /** Under which the server lists this node agent. */
  readonly nodeIdentity: SpiffeId;
}

export class NodeAgentError extends PortcullisError<"node-identity-mismatch"> {
  override name = "NodeAgentError";
}

const sdsStreamsMax = 2_048;
const batchTimeoutMs = 10_000;

/**
 * Resolves after the signal, when everything is closed. @throws PrivateFileError, UnixSocketError at start, NodeAgentError
 * when its own certificate is not of `nodeIdentity`
 */
export async function runNodeAgent(options: NodeAgentOptions, signal: AbortSignal): Promise<void> {
  const { nowMs, sdsSocket, stateDir, nodeIdentity } = options;
  const events = new AgentEvents(options.log);
  await ensurePrivateDir(stateDir);
  await using owned = new AsyncDisposableStack();
  owned.use(await lockStateDir(stateDir));
  const own = await readOwnSet(stateDir, (id) => id.equals(nodeIdentity), events);
  const store = await WorkloadStore.open(stateDir, events);
  owned.defer(async () => store.settled());
  const stored = await store.load(nowMs());
  const agentId = await loadAgentId(stateDir);
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const readers = owned.use(await openReaders(options, events, () => node.evidenceChanged()));
  const onChange = (): void => node.policiesChanged();
  const proxies = await ProxyMemory.open({ stateDir, events, nowMs });
  const policies = await AgentPolicies.open({ stateDir, events, nowMs, onChange });
  const connections = await openConnections({ stateDir, events, nowMs });
  const kept = { store, own, stored, readers, proxies, policies, connections };
  const found = { agentId, events, ...kept, failed, stop };
  const node: Node = owned.use(new Node(options, found));
  const grpc = createLocalServer(xdsMessageBytesMax);
  const calls = new XdsCalls((metadata) => node.workloads.find(metadata), sdsStreamsMax);
  new SdsService(calls).addTo(grpc);
  const { log } = options;
  const { feed, memory } = connections;
  const services = { feed: policies, connections: feed, namesWorkload: true, log, nowMs };
  owned.use(addPolicyServices(grpc, calls, services));
  const listening = await listenOnUnixSocket(grpc, sdsSocket, options.sdsSocketMode);
  owned.use(listening);
  events.started(sdsSocket, validSet(own, nowMs())?.certificate);
  await node.run(stop, () => listening[Symbol.dispose]());
  await Promise.all([readers, proxies, policies, memory].map(async (each) => each.settled()));
  failed.signal.throwIfAborted();
}

interface NodeFound {
  readonly agentId: string;
  readonly events: AgentEvents;
  readonly store: WorkloadStore;
  readonly own: WorkloadSet | undefined;
  readonly stored: ReadonlyMap<string, VerifiedCertificate>;
  readonly readers: BundleReaders;
  readonly proxies: ProxyMemory;
  readonly policies: AgentPolicies;
  readonly connections: AgentConnections;
  readonly failed: AbortController;
  readonly stop: AbortSignal;
}

/** The node's own certificate carries everything: who asks for the workloads, and under which bundle they are served. */
class Node implements Disposable {
  readonly workloads: Workloads;
  readonly #options: NodeAgentOptions;
  readonly #found: NodeFound;
  readonly #certifier: Certifier;
  readonly #link: MeshLink;
  readonly #client: BatchClient;
  readonly #signer: BatchSigner;
  #bundle: BundleSecrets | undefined;
  #serialHex = "";

  constructor(options: NodeAgentOptions, found: NodeFound) {
    const { nowMs, random, nodeIdentity, version } = options;
    const { trustDomain } = nodeIdentity;
    const { agentId, events, store, own, stored, readers, proxies, policies, stop } = found;
    const connections = found.connections.reports;
    this.#options = options;
    this.#found = found;
    this.#certifier = new Certifier(
      { ...options, agentId, trustDomain, events, onChange: (set) => this.#take(set) },
      own,
    );
    const set = (): WorkloadSet | undefined => this.#validSet();
    const target = (): Promise<DialOptions> => this.#target();
    this.#client = new BatchClient({ target, agentId, timeoutMs: batchTimeoutMs });
    const isReady = (): boolean => set() !== undefined;
    this.#signer = new BatchSigner(
      { ...options, client: this.#client, isReady, trustDomain, events },
      stop,
    );
    this.#link = new MeshLink({
      ...options,
      agentId,
      agentVersion: version,
      events,
      policies,
      connections,
      set,
      serverRoots: () => this.#certifier.serverRoots(),
      known: () => this.#known(),
      onVerified: (root) => void this.#certifier.dialled(root),
      leaves: () => this.workloads.received(),
      onBundle: (bundle) => {
        this.#certifier.held
          .takeBundle(bundle)
          .catch((error: unknown) => events.bundleNotKept(error));
      },
      onRenew: (serials) => {
        this.#certifier.renewNow(serials);
        this.workloads.renewNow(serials);
      },
    });
    if (own !== undefined) this.#bundle = encodeBundleSecrets(own.bundle);
    const onEvidence = (): void => this.#link.evidenceChanged();
    const bundle = (): BundleSecrets | undefined => this.#bundle;
    const signer = this.#signer;
    this.workloads = new Workloads(
      {
        signer,
        store,
        events,
        nowMs,
        random,
        bundle,
        onEvidence,
        mergeBundle: async (came) => this.#certifier.held.mergeBundle(came),
        onBundleFetched: (given) => readers.fetched(given),
        onCertificate: (proxy, certificate) => proxies.sent(proxy, certificate),
      },
      set() === undefined ? ofBundle(stored, this.#bundle) : stored,
    );
  }

  /** @param stopServing for a farewell: whoever asks later gets no key any more */
  async run(signal: AbortSignal, stopServing: () => void): Promise<void> {
    const { events, store, readers, proxies, policies, connections } = this.#found;
    const certifier = this.#certifier;
    const link = this.#link;
    const destroy = async (): Promise<void> => {
      stopServing();
      await certifier.held.destroy();
      await store.destroy();
      await readers.destroy();
      await proxies.destroy();
      await policies.destroy();
      await connections.memory.destroy();
    };
    const ending = this.#options.goodbye ? { link, events, destroy } : undefined;
    await runUntilEnd({ certifier, link, ending }, signal);
  }

  evidenceChanged(): void {
    this.#link.evidenceChanged();
  }

  policiesChanged(): void {
    this.#link.policiesChanged();
  }

  [Symbol.dispose](): void {
    this.workloads[Symbol.dispose]();
    this.#client[Symbol.dispose]();
  }

  #known(): Known {
    const evidence = this.workloads.evidence();
    const tokens = this.workloads.shownTokens();
    const remembered = spokenFor(this.#found.proxies.look(evidence), tokens);
    return { evidence, remembered, tokens, ...ofAgent(this.#certifier.held, this.#found.readers) };
  }

  #take(set: WorkloadSet): void {
    const { nodeIdentity } = this.#options;
    const { id, serialHex } = set.certificate;
    if (!id.equals(nodeIdentity)) {
      const message = `expected a certificate of ${nodeIdentity.toString()}, got ${id.toString()}`;
      const hint = "--token-file must be the node agent's own, and --node-identity its identity";
      return this.#found.failed.abort(
        new NodeAgentError("node-identity-mismatch", message, { hint }),
      );
    }
    if (this.#bundle?.bundle !== set.bundle) {
      this.#bundle = encodeBundleSecrets(set.bundle);
      this.workloads.publish();
    }
    this.#link.setChanged();
    if (serialHex === this.#serialHex) return;
    this.#serialHex = serialHex;
    this.#client.redial();
    this.#signer.wake();
  }

  #validSet(): WorkloadSet | undefined {
    return validSet(this.#certifier.set, this.#options.nowMs());
  }

  async #target(): Promise<DialOptions> {
    const { server } = this.#options;
    const serverRoots = await this.#certifier.serverRoots();
    const certificate = this.#validSet()?.certificate;
    if (certificate === undefined) throw new TypeError("there is no certificate to come with");
    const certificateChain = encodeCertificates(certificate.chain);
    const privateKey = encodePem(certificate.privateKeyPkcs8, "PRIVATE KEY");
    return { server, serverRoots, identity: { certificateChain, privateKey } };
  }
}

/**
 * Without a valid certificate of its own, a whole rotation may have passed the node by. A workload's certificate under another root
 * says that it has: what its Envoys hold is newer than the bundle, and it begins anew.
 */
function ofBundle(
  stored: ReadonlyMap<string, VerifiedCertificate>,
  bundle: BundleSecrets | undefined,
): ReadonlyMap<string, VerifiedCertificate> {
  if (bundle === undefined) return stored;
  const isOf = ({ certificate }: VerifiedCertificate): boolean =>
    isUnder(encodeCertificateSecrets(certificate), bundle);
  return new Map([...stored].filter(([, verified]) => isOf(verified)));
}

/** Of the others the server counts the owners, from its log: it would not hear of their proxies from us. */
function spokenFor(all: Evidence, tokens: readonly ShownToken[]): Evidence {
  const spiffeIds = new Set<string | undefined>(tokens.map(({ spiffeId }) => spiffeId));
  return new Map([...all].filter(([, { spiffeId }]) => spiffeIds.has(spiffeId)));
}
