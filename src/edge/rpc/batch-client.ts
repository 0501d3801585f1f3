/**
 * The client's side of `MeshService/SignBatch`: certificates for many workloads of one node, over one connection that is
 * kept. It is dialled anew after each failure, since certificates and roots change on disk.
 */

import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { status, type Client, type ServiceError } from "@grpc/grpc-js";
import { PortcullisError } from "../../core/error.ts";
import { SpiffeId } from "../../core/spiffe/id.ts";
import {
  MeshService,
  SignBatchRequestSchema,
  type SignBatchResponse,
  type SignBatchResult,
  type SignedCertificate,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { agentMetadata } from "./agent-metadata.ts";
import { dial, type DialOptions } from "./dial.ts";
import { errorDetail } from "./error-detail.ts";
import { methodDefinition } from "./service-definition.ts";

export interface BatchEntry {
  /** The workload's own. */
  readonly token: string;
  readonly csrPem: string;
  /** 0 asks for the server's default. */
  readonly ttlSeconds: number;
}

export type BatchResult =
  | {
      readonly kind: "signed";
      /** PEM: the leaf, each intermediate, all roots in the last element. */
      readonly certChain: readonly string[];
      readonly id: SpiffeId;
      readonly tokenExpiresAtMs: number;
    }
  | {
      readonly kind: "refused";
      /** gRPC's. */
      readonly code: number;
      readonly message: string;
      readonly retryAfterMs: number;
    };

export type BatchClientErrorCode =
  | "batch-unauthenticated"
  | "batch-not-allowed"
  | "batch-overloaded"
  | "batch-unreachable"
  | "batch-malformed"
  | "batch-failed";

/** Why a whole batch was not answered. */
export class BatchClientError extends PortcullisError<BatchClientErrorCode> {
  override name = "BatchClientError";
}

export interface BatchClientOptions {
  /** Read at each dial. */
  readonly target: () => Promise<DialOptions>;
  readonly timeoutMs: number;
  /** The agent's name in the server's roll. */
  readonly agentId: string;
}

const method = methodDefinition(MeshService, MeshService.method.signBatch);

export class BatchClient implements Disposable {
  readonly #options: BatchClientOptions;
  #client: Promise<Client> | undefined;

  constructor(options: BatchClientOptions) {
    this.#options = options;
  }

  /**
   * @returns a result for each entry, in their order
   * @throws BatchClientError, and what `target` throws
   */
  async signBatch(
    entries: readonly BatchEntry[],
    signal: AbortSignal,
  ): Promise<readonly BatchResult[]> {
    signal.throwIfAborted();
    this.#client ??= this.#options.target().then(dial);
    const used = this.#client;
    try {
      const { results } = await call(await used, entries, this.#options, signal);
      if (results.length === entries.length) return results.map(parseResult);
      throw new BatchClientError(
        "batch-malformed",
        `expected ${entries.length} results, got ${results.length}`,
      );
    } catch (error) {
      if (this.#client === used) this.redial();
      throw error;
    }
  }

  /** For the next call; those under way end on the connection that they began on. */
  redial(): void {
    const client = this.#client;
    this.#client = undefined;
    client?.then(
      (each) => each.close(),
      () => {},
    );
  }

  [Symbol.dispose](): void {
    this.redial();
  }
}

function call(
  client: Client,
  entries: readonly BatchEntry[],
  { timeoutMs, agentId }: BatchClientOptions,
  signal: AbortSignal,
): Promise<SignBatchResponse> {
  const message = create(SignBatchRequestSchema, {
    entries: entries.map(({ token, csrPem, ttlSeconds }) => {
      return { token, csr: csrPem, validityDuration: BigInt(ttlSeconds) };
    }),
  });
  return new Promise((resolve, reject) => {
    const pending = client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      message,
      agentMetadata(agentId),
      { deadline: Date.now() + timeoutMs },
      (error, response) => {
        signal.removeEventListener("abort", cancel);
        if (error !== null) reject(signal.aborted ? signal.reason : clientError(error));
        else if (response !== undefined) resolve(response);
      },
    );
    const cancel = (): void => pending.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    // It may have come during the dial; a signal tells nobody twice.
    if (signal.aborted) cancel();
  });
}

const codes: ReadonlyMap<number, readonly [BatchClientErrorCode, string?]> = new Map([
  [status.UNAUTHENTICATED, ["batch-unauthenticated", "the server's log names the reason"]],
  [
    status.PERMISSION_DENIED,
    ["batch-not-allowed", "at the server: --node-agent and the ID that this agent has"],
  ],
  // What is not for the first certificate is served a moment later, on the same port.
  [
    status.UNIMPLEMENTED,
    ["batch-unreachable", "the server is starting, or is older than node agents"],
  ],
  [status.RESOURCE_EXHAUSTED, ["batch-overloaded"]],
  [status.UNAVAILABLE, ["batch-unreachable", "is the server running, and is this its address?"]],
  [status.DEADLINE_EXCEEDED, ["batch-unreachable"]],
]);

function clientError(error: ServiceError): BatchClientError {
  const [code, hint] = codes.get(error.code) ?? ["batch-failed"];
  return new BatchClientError(code, errorDetail(error), {
    cause: error,
    ...(hint !== undefined && { hint }),
  });
}

/** One that makes no sense spoils no other. */
function parseResult({ result }: SignBatchResult): BatchResult {
  if (result.case === "certificate") {
    try {
      return parseSigned(result.value);
    } catch (error) {
      return refused(status.INTERNAL, `malformed result: ${String(error)}`, 0);
    }
  }
  if (result.case === undefined) return refused(status.INTERNAL, "empty result", 0);
  const { code, message, retryAfterMs } = result.value;
  return refused(code, message, Number(retryAfterMs));
}

/** @throws SpiffeIdError, BatchClientError */
function parseSigned({ certChain, spiffeId, tokenExpiresAt }: SignedCertificate): BatchResult {
  if (tokenExpiresAt === undefined) {
    throw new BatchClientError("batch-malformed", "expected the token's expiry, got none");
  }
  const tokenExpiresAtMs = timestampMs(tokenExpiresAt);
  return { kind: "signed", certChain, id: SpiffeId.parse(spiffeId), tokenExpiresAtMs };
}

function refused(code: number, message: string, retryAfterMs: number): BatchResult {
  return { kind: "refused", code, message: message.slice(0, 1_024), retryAfterMs };
}
