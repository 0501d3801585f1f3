/**
 * The agent's way to its control plane. It comes back for ever. The server lets no stream outlive the certificate that it began
 * with, so each new certificate gets a new stream, and the old one stays until that is open.
 */

import type { Client } from "@grpc/grpc-js";
import { setTimeout as sleep } from "node:timers/promises";
import type { WorkloadCertificate } from "../../core/envoy/secret.ts";
import { decideRetryMs } from "../../core/issuance/renewal.ts";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import { encodeCertificates, encodePem } from "../../core/x509/pem.ts";
import { dial } from "../../edge/rpc/dial.ts";
import { methodDefinition } from "../../edge/rpc/service-definition.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import { MeshService } from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { HandshakeProver } from "./canary/handshake-prover.ts";
import type { ConnectionReports } from "./connections/connection-reports.ts";
import type { Known } from "./mesh-report.ts";
import { MeshTalk } from "./mesh-talk.ts";
import type { AgentPolicies } from "./policy/agent-policies.ts";
import { LogWitness } from "./witness.ts";
import type { ReceivedCertificate, WorkloadSet } from "./workload-set.ts";

export interface MeshLinkOptions {
  readonly server: string;
  /** PEM, read at each connection. */
  readonly serverRoots: () => Promise<Uint8Array>;
  readonly agentId: string;
  readonly agentVersion: string;
  readonly stateDir: string;
  readonly events: AgentEvents;
  readonly nowMs: () => number;
  readonly random: () => number;
  /** The certificate to come with; undefined while there is none that is valid. */
  readonly set: () => WorkloadSet | undefined;
  readonly known: () => Known;
  /** Of its proxies. */
  readonly policies: AgentPolicies;
  /** To them. */
  readonly connections: ConnectionReports;
  /** The root (DER) that the server was verified by. */
  readonly onVerified: (root: Uint8Array) => void;
  /** What a node agent holds for its workloads. */
  readonly leaves?: () => readonly ReceivedCertificate[];
  readonly onBundle: (bundle: TrustBundle) => void;
  /** The server asks for new certificates in the place of these: serials, lower-case hex. */
  readonly onRenew: (serials: ReadonlySet<string>) => void;
}

interface OpenStream {
  readonly talk: MeshTalk;
  readonly close: () => void;
}

const method = methodDefinition(MeshService, MeshService.method.connect);
/** 200 ms to 6.4 s: the server's evidence is as old as the longest delay. */
const attemptMax = 5;
/** What proxies answer meanwhile of their policies is told together: a hundred of them answer within a tenth of a second. */
const policyPauseMs = 5;
const superseded = Symbol("superseded");

export class MeshLink {
  readonly #options: MeshLinkOptions;
  readonly #prover: HandshakeProver;
  /** The newest that the server has answered on. */
  #open: OpenStream | undefined;
  /** The newest. */
  #newest: OpenStream | undefined;
  /** From the start of the run on. */
  #witness: LogWitness | undefined;
  #updateScheduled = false;
  #policiesScheduled = false;
  #renewed = Promise.withResolvers<typeof superseded>();
  /** Of the certificate that was dialled with last. */
  #serialHex = "";
  #isLeaving = false;

  constructor(options: MeshLinkOptions) {
    this.#options = options;
    const { set } = options;
    this.#prover = new HandshakeProver({
      ...options,
      roots: () => rootsOf(set()),
      ownId: () => set()?.certificate.id.toString(),
      onProof: () => this.evidenceChanged(),
    });
  }

  /** There may be a new certificate to come with, or another bundle to report. */
  setChanged(): void {
    this.#witness?.certificatesChanged();
    if (this.#options.set()?.certificate.serialHex !== this.#serialHex) {
      this.#renewed.resolve(superseded);
    }
    this.evidenceChanged();
  }

  /** Something may have changed: what did goes out with this turn of the event loop. */
  evidenceChanged(): void {
    if (this.#updateScheduled) return;
    this.#updateScheduled = true;
    setImmediate(() => {
      this.#updateScheduled = false;
      if (this.#isLeaving) return;
      this.#witness?.certificatesChanged();
      // Also while nobody listens: what a proxy had is to be told to the next server.
      if (this.#open === undefined) this.#options.known();
      else this.#open.talk.update();
    });
  }

  /** Something may have changed of policies, and of nothing else: what does is told in a moment, and nothing else is looked at. */
  policiesChanged(): void {
    if (this.#policiesScheduled) return;
    this.#policiesScheduled = true;
    setTimeout(() => {
      this.#policiesScheduled = false;
      // Who has just gone is known to be away after the other one, which tells policies, too.
      if (!this.#updateScheduled && !this.#isLeaving) this.#open?.talk.updatePolicies();
    }, policyPauseMs);
  }

  /** The workload ends: no stream is opened any more, and what its end brings about is not reported one by one. */
  leave(): void {
    this.#isLeaving = true;
    if (this.#newest !== this.#open) this.#newest?.close();
  }

  /** After `leave`. @returns whether the server has taken it, within the time */
  async goodbye(timeoutMs: number): Promise<boolean> {
    return (await this.#open?.talk.goodbye(timeoutMs)) ?? false;
  }

  /** Runs until the signal; then it returns. */
  async run(signal: AbortSignal): Promise<void> {
    const witness = await LogWitness.open(this.#options);
    this.#witness = witness;
    witness.certificatesChanged();
    await this.#keepConnected(witness, signal);
    this.#prover[Symbol.dispose]();
    await witness.settled();
  }

  async #keepConnected(witness: LogWitness, signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted && !this.#isLeaving; attempt++) {
      this.#renewed = Promise.withResolvers();
      if (this.#options.set() !== undefined) {
        const end = await this.#connect(witness, signal, () => (attempt = 0));
        if (end === superseded) continue;
        if (signal.aborted || this.#isLeaving) return;
        this.#options.events.meshLost(end);
      }
      const { random } = this.#options;
      const delayMs = decideRetryMs(Math.min(attempt, attemptMax), undefined, random());
      const slept = sleep(delayMs, undefined, { signal }).catch(() => {});
      await Promise.race([slept, this.#renewed.promise]);
    }
  }

  /** One stream, from its first byte to its end, or until it is to be replaced. @returns why */
  async #connect(witness: LogWitness, signal: AbortSignal, onHeard: () => void): Promise<unknown> {
    let client: Client;
    try {
      client = await this.#dial();
    } catch (error) {
      return error;
    }
    const stream = client.makeBidiStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
    );
    const { events, server, set } = this.#options;
    const certificates = (): readonly WorkloadCertificate[] => this.#certificates();
    const onOpen = (): void => {
      const previous = this.#open;
      this.#open = opened;
      previous?.close();
      events.meshConnected(server);
    };
    const bundleSequence = set()?.bundle.sequence ?? 0n;
    const prover = this.#prover;
    const own = { witness, bundleSequence, certificates, onOpen, onHeard, client, prover };
    const talk = new MeshTalk(stream, { ...this.#options, ...own });
    const close = (): void => {
      if (this.#open === opened) this.#open = undefined;
      signal.removeEventListener("abort", close);
      talk.close();
      stream.cancel();
      client.close();
    };
    const opened: OpenStream = { talk, close };
    this.#newest = opened;
    signal.addEventListener("abort", close, { once: true });
    // It may have come during the dial; a signal tells nobody twice.
    if (signal.aborted || this.#isLeaving) close();
    void talk.ended.then(close);
    const end = await Promise.race([talk.ended, this.#renewed.promise]);
    // One that is open stays until the next one is.
    if (this.#open !== opened) close();
    return end;
  }

  async #dial(): Promise<Client> {
    const { server, serverRoots: readRoots, set, onVerified } = this.#options;
    const serverRoots = await readRoots();
    const certificate = set()?.certificate;
    if (certificate === undefined) throw new TypeError("there is no certificate to come with");
    this.#serialHex = certificate.serialHex;
    const certificateChain = encodeCertificates(certificate.chain);
    const privateKey = encodePem(certificate.privateKeyPkcs8, "PRIVATE KEY");
    return dial({ server, serverRoots, identity: { certificateChain, privateKey }, onVerified });
  }

  /** All that it serves: its own, and those of a node's workloads. */
  #certificates(): WorkloadCertificate[] {
    const { set, leaves } = this.#options;
    const own = set();
    const all = [...(own === undefined ? [] : [own]), ...(leaves?.() ?? [])];
    return all.map(({ certificate }) => certificate);
  }
}

/** PEM. */
function rootsOf(set: WorkloadSet | undefined): string | undefined {
  return set && encodeCertificates(set.bundle.roots);
}
