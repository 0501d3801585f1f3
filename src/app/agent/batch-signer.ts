/**
 * Certificates for the workloads of a node: what is due at the same time goes to the server in one batch, and each entry's
 * answer stands for itself. A batch that is not answered is tried again as a whole, and delays all others: there is one server.
 */

import type { WorkloadCertificate } from "../../core/envoy/secret.ts";
import { decideRetryMs } from "../../core/issuance/renewal.ts";
import type { TrustDomain } from "../../core/spiffe/id.ts";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import { createCsr, type NewCsr } from "../../core/x509/csr-create.ts";
import {
  BatchClientError,
  type BatchClient,
  type BatchResult,
} from "../../edge/rpc/batch-client.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import { checkReply, ReplyError } from "./certificate-reply.ts";

export type SignOutcome =
  | {
      readonly kind: "signed";
      readonly certificate: WorkloadCertificate;
      readonly receivedAtMs: number;
      /** Of the reply, without a sequence. */
      readonly bundle: TrustBundle;
      /** Until when the server believes the token. */
      readonly tokenExpiresAtMs: number;
    }
  | Extract<BatchResult, { kind: "refused" }>
  /** A reply that is not what was asked for. */
  | { readonly kind: "invalid"; readonly error: unknown };

export interface SignOrder {
  readonly token: string;
  readonly isWanted: () => boolean;
  /** Not called when nobody wants it any more. */
  readonly settle: (outcome: SignOutcome) => void;
}

export interface BatchSignerOptions {
  readonly client: BatchClient;
  /** There is a certificate to come with. */
  readonly isReady: () => boolean;
  /** Of the node, and so of its workloads. */
  readonly trustDomain: TrustDomain;
  readonly ttlSeconds: number;
  readonly events: AgentEvents;
  readonly nowMs: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

const gatherMs = 5;
const entriesMax = 50;
const batchBytesMax = 60 * 1_024;
/** A CSR of ours and the framing; the token comes on top. */
const entryBytes = 768;
const batchesInFlightMax = 4;

export class BatchSigner {
  readonly #options: BatchSignerOptions;
  readonly #signal: AbortSignal;
  #queue: SignOrder[] = [];
  #inFlight = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Failed batches since the last answer. */
  #failures = 0;
  /** The server takes no batches from us, and the operator has been told. */
  #isDenied = false;
  /** By the monotonic clock: one that is set back must not make for a long wait. */
  #notBefore = 0;

  /** @param signal ends it, answers or not */
  constructor(options: BatchSignerOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    signal.addEventListener("abort", () => clearTimeout(this.#timer), { once: true });
  }

  /** The caller bounds how many wait: one order for each workload. */
  submit(order: SignOrder): void {
    this.#queue.push(order);
    this.#schedule();
  }

  /** There is a certificate to come with: no reason to wait any longer. */
  wake(): void {
    this.#notBefore = 0;
    this.#isDenied = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#signal.aborted || this.#queue.length === 0) return;
    if (!this.#options.isReady()) return;
    const delayMs = Math.max(gatherMs, this.#notBefore - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#sendDue();
    }, delayMs);
  }

  #sendDue(): void {
    while (this.#inFlight < batchesInFlightMax) {
      const batch = this.#takeBatch();
      if (batch.length === 0) return;
      this.#inFlight += 1;
      void this.#send(batch).finally(() => {
        this.#inFlight -= 1;
        this.#schedule();
      });
    }
  }

  #takeBatch(): SignOrder[] {
    this.#queue = this.#queue.filter((order) => order.isWanted());
    let bytes = 0;
    let count = 0;
    for (const { token } of this.#queue) {
      bytes += token.length + entryBytes;
      if (count === entriesMax || (count > 0 && bytes > batchBytesMax)) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  /** Never rejects. */
  async #send(batch: readonly SignOrder[]): Promise<void> {
    const { client, ttlSeconds, events } = this.#options;
    const csrs = await Promise.all(batch.map(async () => createCsr()));
    const entries = batch.map(({ token }, at) => {
      return { token, csrPem: csrs[at]?.csrPem ?? "", ttlSeconds };
    });
    let results: readonly BatchResult[];
    try {
      results = await client.signBatch(entries, this.#signal);
    } catch (error) {
      if (this.#signal.aborted) return;
      this.#delay();
      const wasDenied = this.#isDenied;
      this.#isDenied = error instanceof BatchClientError && error.code === "batch-not-allowed";
      // Until somebody acts at the server it would be the same line, again and again.
      if (!(wasDenied && this.#isDenied)) events.batchFailed(error, batch.length, this.#failures);
      this.#queue.unshift(...batch);
      return;
    }
    this.#failures = 0;
    this.#isDenied = false;
    for (const [at, order] of batch.entries()) {
      if (order.isWanted()) order.settle(this.#outcome(results[at], csrs[at]));
    }
  }

  /** Batches that fail together count once. */
  #delay(): void {
    const now = performance.now();
    if (now < this.#notBefore) return;
    this.#notBefore = now + decideRetryMs(this.#failures, undefined, this.#options.random());
    this.#failures += 1;
  }

  #outcome(result: BatchResult | undefined, csr: NewCsr | undefined): SignOutcome {
    const { nowMs, trustDomain } = this.#options;
    if (result === undefined || csr === undefined) throw new TypeError("a result is missing");
    if (result.kind === "refused") return result;
    const { certChain, id, tokenExpiresAtMs } = result;
    const receivedAtMs = nowMs();
    try {
      const { certificate, bundle } = checkReply(certChain, csr, trustDomain, receivedAtMs);
      if (certificate.id.equals(id)) {
        return { kind: "signed", certificate, receivedAtMs, bundle, tokenExpiresAtMs };
      }
      const message = `expected a certificate of ${id.toString()}, got ${certificate.id.toString()}`;
      throw new ReplyError("reply-foreign-identity", message);
    } catch (error) {
      return { kind: "invalid", error };
    }
  }
}
