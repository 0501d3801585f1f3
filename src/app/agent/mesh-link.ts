/**
 * The agent's stream to its control plane: bundles come down, evidence goes up. It comes back for
 * ever, and begins each stream with all that it knows, so that nothing has to be remembered about
 * the last one. The server lets no stream outlive the certificate that it began with, so each new
 * certificate gets a new stream, and the old one stays until that is open.
 */

import type { Client, ClientDuplexStream } from "@grpc/grpc-js";
import { setTimeout as sleep } from "node:timers/promises";
import { decideRetryMs } from "../../core/issuance/renewal.ts";
import type { EvidenceReport, ProxyEvidence } from "../../core/roll/evidence.ts";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import { encodeCertificates, encodePem } from "../../core/x509/pem.ts";
import { readBoundedFile } from "../../edge/config/private-files.ts";
import { dial } from "../../edge/rpc/dial.ts";
import {
  encodeHello,
  encodeReport,
  encodeTokens,
  parseBundle,
} from "../../edge/rpc/mesh-messages.ts";
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
  /** The certificate to come with; undefined while there is none that is valid. */
  readonly set: () => WorkloadSet | undefined;
  /** By `proxyKey`; what has not changed since it was asked for last may be the same object. */
  readonly evidence: () => ReadonlyMap<string, ProxyEvidence>;
  /** For whom else a node agent speaks. */
  readonly tokens?: () => readonly string[];
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
  /** What the server was told on this stream. */
  #reported: ReadonlyMap<string, ProxyEvidence> = new Map();
  #shownTokens: ReadonlySet<string> = new Set();
  #sequence = 0n;
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
      this.#reportChanges();
    });
  }

  /** Runs until the signal; then it returns. */
  async run(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt++) {
      this.#renewed = Promise.withResolvers();
      if (this.#options.set() !== undefined) {
        const end = await this.#connect(signal, () => (attempt = 0));
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
  async #connect(signal: AbortSignal, onOpen: () => void): Promise<unknown> {
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
    const ended = this.#talk(stream, onOpen);
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
    const serverRoots = await readBoundedFile(serverRootFile, 1_048_576);
    const certificate = set()?.certificate;
    if (certificate === undefined) throw new TypeError("there is no certificate to come with");
    this.#serialHex = certificate.serialHex;
    const certificateChain = encodeCertificates(certificate.chain);
    const privateKey = encodePem(certificate.privateKeyPkcs8, "PRIVATE KEY");
    return dial({ server, serverRoots, identity: { certificateChain, privateKey } });
  }

  #talk(stream: MeshStream, onOpen: () => void): Promise<unknown> {
    const { agentId, agentVersion, set, events, server } = this.#options;
    let isOpen = false;
    return new Promise((resolve) => {
      stream.on("error", resolve);
      stream.on("end", () => resolve(new Error("the server ended the stream")));
      stream.on("data", (response: ConnectResponse) => {
        if (!isOpen) {
          isOpen = true;
          this.#stream = stream;
          this.#endPrevious();
          events.meshConnected(server);
          this.#reportAll();
        }
        // Not before: a server that refuses the reports would be dialled again and again at once.
        if (response.message.case === "reportAck") onOpen();
        try {
          this.#receive(response);
        } catch (error) {
          resolve(error);
        }
      });
      stream.write(encodeHello(agentId, agentVersion, set()?.bundle.sequence ?? 0n));
    });
  }

  /** @throws SpiffeIdError, TypeError for a bundle that is none */
  #receive({ message }: ConnectResponse): void {
    if (message.case === "bundle") this.#options.onBundle(parseBundle(message.value));
  }

  #reportAll(): void {
    this.#shownTokens = new Set();
    this.#showTokens();
    const evidence = this.#options.evidence();
    this.#sequence = 0n;
    this.#send(evidence, { full: true, proxies: [...evidence.values()], gone: [] });
  }

  /** Before the evidence that needs them. */
  #showTokens(): void {
    const tokens = this.#options.tokens?.() ?? [];
    const unseen = tokens.filter((token) => !this.#shownTokens.has(token));
    this.#shownTokens = new Set(tokens);
    for (const batch of inBatches(unseen, ({ length }) => length)) {
      this.#stream?.write(encodeTokens(batch));
    }
  }

  #reportChanges(): void {
    this.#showTokens();
    const evidence = this.#options.evidence();
    const proxies = [...evidence].flatMap(([key, proxy]) => {
      const reported = this.#reported.get(key);
      return reported === proxy || textOf(reported) === textOf(proxy) ? [] : [proxy];
    });
    const gone = [...this.#reported.keys()].filter((id) => !evidence.has(id));
    if (proxies.length === 0 && gone.length === 0) return;
    this.#send(evidence, { full: false, proxies, gone });
  }

  #send(
    evidence: ReadonlyMap<string, ProxyEvidence>,
    { full, proxies, gone }: Omit<EvidenceReport, "sequence">,
  ): void {
    this.#reported = evidence;
    const [first = [], ...others] = inBatches(proxies, (proxy) => textOf(proxy).length);
    this.#write({ full, proxies: first, gone });
    for (const proxies of others) this.#write({ full: false, proxies, gone: [] });
  }

  #write(report: Omit<EvidenceReport, "sequence">): void {
    this.#sequence++;
    this.#stream?.write(encodeReport({ sequence: this.#sequence, ...report }));
  }
}

/** The server takes messages of 64 KiB; as JSON, evidence is longer than it will be on the wire. */
const batchLengthMax = 48 * 1_024;

function inBatches<T>(all: readonly T[], lengthOf: (each: T) => number): T[][] {
  const batches: T[][] = [];
  let length = Infinity;
  for (const each of all) {
    const added = lengthOf(each);
    if (length + added > batchLengthMax) {
      batches.push([]);
      length = 0;
    }
    batches.at(-1)?.push(each);
    length += added;
  }
  return batches;
}

function textOf(proxy: ProxyEvidence | undefined): string {
  const plain = (_: string, each: unknown) => (typeof each === "bigint" ? String(each) : each);
  return JSON.stringify(proxy, plain) ?? "";
}
