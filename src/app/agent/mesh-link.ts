/**
 * The agent's stream to its control plane: bundles come down, evidence goes up. It dials with the newest certificate, comes
 * back for ever, and begins each stream with all that it knows, so that nothing has to be remembered about the last one.
 */

import { Client, status, type ClientDuplexStream, type ServiceError } from "@grpc/grpc-js";
import { setTimeout as sleep } from "node:timers/promises";
import { decideRetryMs } from "../../core/issuance/renewal.ts";
import type { ProxyEvidence } from "../../core/roll/evidence.ts";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import { encodePem } from "../../core/x509/pem.ts";
import { readBoundedFile } from "../../edge/config/private-files.ts";
import { dial } from "../../edge/rpc/dial.ts";
import { encodeHello, encodeReport, parseBundle } from "../../edge/rpc/mesh-messages.ts";
import { methodDefinition } from "../../edge/rpc/service-definition.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import {
  MeshService,
  type ConnectRequest,
  type ConnectResponse,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import type { WorkloadSet } from "./workload-set.ts";

export interface MeshLinkOptions {
  readonly server: string;
  readonly serverRootFile: string;
  readonly agentId: string;
  readonly agentVersion: string;
  readonly events: AgentEvents;
  readonly random: () => number;
  /** The certificate to come with; undefined while there is none. */
  readonly set: () => WorkloadSet | undefined;
  readonly evidence: () => ReadonlyMap<string, ProxyEvidence>;
  readonly onBundle: (bundle: TrustBundle) => void;
}

type MeshStream = ClientDuplexStream<ConnectRequest, ConnectResponse>;

const method = methodDefinition(MeshService, MeshService.method.connect);

export class MeshLink {
  readonly #options: MeshLinkOptions;
  #stream: MeshStream | undefined;
  /** What the server was told on this stream. */
  #reported: ReadonlyMap<string, ProxyEvidence> = new Map();
  #sequence = 0n;
  #reportScheduled = false;

  constructor(options: MeshLinkOptions) {
    this.#options = options;
  }

  /** Something may have changed: what did goes out with this turn of the event loop. */
  evidenceChanged(): void {
    if (this.#reportScheduled || this.#stream === undefined) return;
    this.#reportScheduled = true;
    setImmediate(() => {
      this.#reportScheduled = false;
      this.#reportChanges();
    });
  }

  /** Runs until the signal; then it returns. */
  async run(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt++) {
      if (this.#options.set() !== undefined) {
        const error = await this.#connect(signal, () => (attempt = 0));
        if (signal.aborted) return;
        this.#options.events.meshLost(error);
      }
      const delayMs = decideRetryMs(Math.min(attempt, 5), undefined, this.#options.random());
      await sleep(delayMs, undefined, { signal }).catch(() => {});
    }
  }

  /** One stream, from its first byte to its end. @returns why it ended */
  async #connect(signal: AbortSignal, onOpen: () => void): Promise<unknown> {
    const client = await this.#dial().catch((error: unknown) => error);
    if (!(client instanceof Client)) return client;
    try {
      return await this.#talk(client, signal, onOpen);
    } finally {
      this.#stream = undefined;
      client.close();
    }
  }

  async #dial(): Promise<Client> {
    const { server, serverRootFile, set } = this.#options;
    const serverRoots = await readBoundedFile(serverRootFile, 1_048_576);
    const certificate = set()?.certificate;
    if (certificate === undefined) throw new TypeError("there is no certificate to come with");
    const certificateChain = certificate.chain.map((der) => encodePem(der, "CERTIFICATE")).join("");
    const privateKey = encodePem(certificate.privateKeyPkcs8, "PRIVATE KEY");
    return dial({ server, serverRoots, identity: { certificateChain, privateKey } });
  }

  #talk(client: Client, signal: AbortSignal, onOpen: () => void): Promise<unknown> {
    const { agentId, agentVersion, set, events, server } = this.#options;
    return new Promise((resolve) => {
      const stream = client.makeBidiStreamRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
      );
      const cancel = (): void => stream.cancel();
      signal.addEventListener("abort", cancel, { once: true });
      stream.on("error", (error: ServiceError) => {
        signal.removeEventListener("abort", cancel);
        resolve(error.code === status.CANCELLED ? signal.reason : error);
      });
      stream.on("end", () => resolve(new Error("the server ended the stream")));
      stream.on("data", (response: ConnectResponse) => {
        if (this.#stream === undefined) {
          this.#stream = stream;
          onOpen();
          events.meshConnected(server);
          this.#reportAll();
        }
        this.#receive(response);
      });
      stream.write(encodeHello(agentId, agentVersion, set()?.bundle.sequence ?? 0n));
    });
  }

  #receive({ message }: ConnectResponse): void {
    if (message.case === "bundle") this.#options.onBundle(parseBundle(message.value));
  }

  #reportAll(): void {
    const evidence = this.#options.evidence();
    this.#sequence = 1n;
    this.#send(evidence, { full: true, proxies: [...evidence.values()], gone: [] });
  }

  #reportChanges(): void {
    const evidence = this.#options.evidence();
    const proxies = [...evidence.values()].filter(
      (proxy) => !sameEvidence(this.#reported.get(proxy.proxyId), proxy),
    );
    const gone = [...this.#reported.keys()].filter((id) => !evidence.has(id));
    if (proxies.length === 0 && gone.length === 0) return;
    this.#sequence++;
    this.#send(evidence, { full: false, proxies, gone });
  }

  #send(
    evidence: ReadonlyMap<string, ProxyEvidence>,
    report: { full: boolean; proxies: ProxyEvidence[]; gone: string[] },
  ): void {
    this.#reported = evidence;
    this.#stream?.write(encodeReport({ sequence: this.#sequence, ...report }));
  }
}

function sameEvidence(before: ProxyEvidence | undefined, after: ProxyEvidence): boolean {
  const text = (value: ProxyEvidence | undefined): string =>
    JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? String(each) : each));
  return text(before) === text(after);
}
