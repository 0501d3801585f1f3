/**
 * The agent's stream to its control plane: bundles come down, evidence goes up. It comes back for
 * ever, and begins each stream with all that it knows, so that nothing has to be remembered about
 * the last one. The server lets no stream outlive the certificate that it began with, so each new
 * certificate gets a new stream, and the old one stays until that is open.
 */

import type { Client, ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import { setTimeout as sleep } from "node:timers/promises";
import { decideRetryMs } from "../../core/issuance/renewal.ts";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import { encodeCertificates, encodePem } from "../../core/x509/pem.ts";
import { dial } from "../../edge/rpc/dial.ts";
import { errorDetail } from "../../edge/rpc/error-detail.ts";
import { encodeHello, parseBundle } from "../../edge/rpc/mesh-messages.ts";
import { methodDefinition } from "../../edge/rpc/service-definition.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import {
  MeshService,
  type ConnectRequest,
  type ConnectResponse,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { MeshReport, type Evidence, type ShownToken } from "./mesh-report.ts";
import { readServerRoots } from "./server-roots.ts";
import { Unproven } from "./unproven.ts";
import { LogWitness } from "./witness.ts";
import type { ReceivedCertificate, WorkloadSet } from "./workload-set.ts";

export interface MeshLinkOptions {
  readonly server: string;
  readonly serverRootFile: string;
  readonly agentId: string;
  readonly agentVersion: string;
  readonly stateDir: string;
  readonly events: AgentEvents;
  readonly nowMs: () => number;
  readonly random: () => number;
  /** The certificate to come with; undefined while there is none that is valid. */
  readonly set: () => WorkloadSet | undefined;
  readonly evidence: () => Evidence;
  /** For whom else a node agent speaks. */
  readonly tokens?: () => readonly ShownToken[];
  /** What it holds for them: the log must have it. */
  readonly leaves?: () => readonly ReceivedCertificate[];
  readonly onBundle: (bundle: TrustBundle) => void;
}

type MeshStream = ClientDuplexStream<ConnectRequest, ConnectResponse>;

const method = methodDefinition(MeshService, MeshService.method.connect);
/** 200 ms to 6.4 s: the server's evidence is as old as the longest delay. */
const attemptMax = 5;
const superseded = Symbol("superseded");

export class MeshLink {
  readonly #options: MeshLinkOptions;
  #stream: MeshStream | undefined;
  /** From the start of the run on. */
  #witness: LogWitness | undefined;
  /** Of this stream. */
  #report = new MeshReport();
  #reportScheduled = false;
  #renewed = Promise.withResolvers<typeof superseded>();
  /** Of the certificate that was dialled with last. */
  #serialHex = "";
  /** Ends the stream that a newer one is to replace. */
  #endPrevious: () => void = () => {};

  constructor(options: MeshLinkOptions) {
    this.#options = options;
  }

  /** There may be a new certificate to come with. */
  setChanged(): void {
    this.#witness?.certificatesChanged();
    if (this.#options.set()?.certificate.serialHex !== this.#serialHex) {
      this.#renewed.resolve(superseded);
    }
  }

  /** Something may have changed: what did goes out with this turn of the event loop. */
  evidenceChanged(): void {
    if (this.#reportScheduled || this.#stream === undefined) return;
    this.#reportScheduled = true;
    setImmediate(() => {
      this.#reportScheduled = false;
      this.#witness?.certificatesChanged();
      this.#write(this.#report.update(...this.#known()));
    });
  }

  /** Runs until the signal; then it returns. */
  async run(signal: AbortSignal): Promise<void> {
    const witness = await LogWitness.open(this.#options);
    this.#witness = witness;
    witness.certificatesChanged();
    await this.#keepConnected(witness, signal);
    await witness.settled();
  }

  async #keepConnected(witness: LogWitness, signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt++) {
      this.#renewed = Promise.withResolvers();
      if (this.#options.set() !== undefined) {
        const end = await this.#connect(witness, signal, () => (attempt = 0));
        if (end === superseded) continue;
        if (signal.aborted) return this.#endPrevious();
        this.#options.events.meshLost(end);
      }
      const delayMs = decideRetryMs(
        Math.min(attempt, attemptMax),
        undefined,
        this.#options.random(),
      );
      const slept = sleep(delayMs, undefined, { signal }).catch(() => {});
      await Promise.race([slept, this.#renewed.promise]);
    }
  }

  /** One stream, from its first byte to its end, or until it is to be replaced. @returns why */
  async #connect(witness: LogWitness, signal: AbortSignal, onOpen: () => void): Promise<unknown> {
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
    const close = (): void => {
      if (this.#stream === stream) this.#stream = undefined;
      signal.removeEventListener("abort", close);
      stream.cancel();
      client.close();
    };
    signal.addEventListener("abort", close, { once: true });
    // It may have come during the dial; a signal tells nobody twice.
    if (signal.aborted) close();
    const ended = this.#talk(stream, witness, onOpen);
    const end = await Promise.race([ended, this.#renewed.promise]);
    if (end === superseded) {
      this.#endPrevious();
      this.#endPrevious = close;
    } else {
      close();
    }
    return end;
  }

  async #dial(): Promise<Client> {
    const { server, serverRootFile, set } = this.#options;
    const serverRoots = await readServerRoots(serverRootFile);
    const certificate = set()?.certificate;
    if (certificate === undefined) throw new TypeError("there is no certificate to come with");
    this.#serialHex = certificate.serialHex;
    const certificateChain = encodeCertificates(certificate.chain);
    const privateKey = encodePem(certificate.privateKeyPkcs8, "PRIVATE KEY");
    return dial({ server, serverRoots, identity: { certificateChain, privateKey } });
  }

  #talk(stream: MeshStream, witness: LogWitness, onOpen: () => void): Promise<unknown> {
    const { agentId, agentVersion, set, events, server, random } = this.#options;
    const report = new MeshReport();
    const unproven = new Unproven(random, (spiffeIds) => {
      report.forget(spiffeIds);
      this.evidenceChanged();
    });
    const talk = witness.begin((message) => void stream.write(message));
    stream.on("close", () => {
      unproven[Symbol.dispose]();
      talk.isFollowing = false;
    });
    let isOpen = false;
    return new Promise((resolve) => {
      stream.on("error", (error: ServiceError) =>
        resolve({ code: error.code, message: errorDetail(error) }),
      );
      stream.on("end", () => resolve(new Error("the server ended the stream")));
      stream.on("data", (response: ConnectResponse) => {
        if (!isOpen) {
          isOpen = true;
          this.#stream = stream;
          this.#endPrevious();
          events.meshConnected(server);
          this.#report = report;
          this.#write(report.begin(...this.#known()));
        }
        try {
          this.#receive(response, unproven, onOpen);
          if (response.message.case === "logProof") {
            witness.take(talk, response.message.value);
          }
        } catch (error) {
          resolve(error);
        }
      });
      const bundleSequence = set()?.bundle.sequence ?? 0n;
      stream.write(encodeHello(agentId, agentVersion, bundleSequence, witness.note));
    });
  }

  /** @throws SpiffeIdError, TypeError for a bundle that is none */
  #receive({ message }: ConnectResponse, unproven: Unproven, onOpen: () => void): void {
    if (message.case === "bundle") this.#options.onBundle(parseBundle(message.value));
    if (message.case !== "reportAck") return;
    // Not before: a server that refuses the reports would be dialled again and again at once.
    onOpen();
    unproven.add(message.value.unproven);
  }

  #known(): [Evidence, readonly ShownToken[]] {
    return [this.#options.evidence(), this.#options.tokens?.() ?? []];
  }

  #write(messages: readonly ConnectRequest[]): void {
    for (const message of messages) this.#stream?.write(message);
  }
}
