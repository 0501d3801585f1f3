/** The workload's side of the SPIFFE Workload API, on its agent's socket. */

import { create, type DescMessage, type DescMethod, type MessageShape } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { isAbsolute } from "node:path";
import { PortcullisError } from "../../core/error.ts";
import {
  JWTSVIDRequestSchema,
  SpiffeWorkloadAPI,
  ValidateJWTSVIDRequestSchema,
  X509SVIDRequestSchema,
  type JWTSVIDResponse,
  type ValidateJWTSVIDResponse,
  type X509SVIDResponse,
} from "../../gen/spiffe/workload/workload_pb.ts";
import { parseListenAddress } from "../config/listen-address.ts";
import { methodDefinition } from "./service-definition.ts";
import { problemOf, type WorkloadApiErrorCode } from "./workload-api-problem.ts";

export class WorkloadApiError extends PortcullisError<WorkloadApiErrorCode> {
  override name = "WorkloadApiError";
}

/**
 * `unix:///PATH` or `tcp://IP:PORT` (SPIFFE Workload Endpoint 4), or an absolute path, as people
 * write it.
 *
 * @returns what gRPC dials
 * @throws WorkloadApiError
 */
export function parseWorkloadApiAddress(address: string): string {
  const [, path] = /^(?:unix:\/\/)?(\/[^?#\p{Cc}]+)$/u.exec(address) ?? [];
  if (path !== undefined && isAbsolute(path)) return `unix:${path}`;
  const [, tcp = ""] = /^tcp:\/\/([0-9.]+:\d+|\[[0-9a-f:.]+\]:\d+)$/i.exec(address) ?? [];
  const parsed = parseListenAddress(tcp);
  if (parsed !== undefined && parsed.port !== 0) {
    return `${parsed.host.includes(":") ? "ipv6" : "ipv4"}:${tcp}`;
  }
  const forms = "expected unix:///PATH, an absolute path or tcp://IP:PORT";
  const message = `${forms}, got ${JSON.stringify(address)}`;
  throw new WorkloadApiError("workload-api-address", message, {
    hint: "name the socket of an agent: --workload-api or SPIFFE_ENDPOINT_SOCKET",
  });
}

export class WorkloadApiClient implements Disposable {
  readonly #address: string;
  readonly #client: Client;

  /** @throws WorkloadApiError for an address that is none */
  constructor(address: string) {
    this.#address = address;
    this.#client = new Client(parseWorkloadApiAddress(address), credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  /** Each message is the whole state. Ends with an error, or with the signal. @throws WorkloadApiError */
  async *x509Svids(signal: AbortSignal): AsyncGenerator<X509SVIDResponse, void, undefined> {
    const { path, requestSerialize, responseDeserialize } = methodDefinition(
      SpiffeWorkloadAPI,
      SpiffeWorkloadAPI.method.fetchX509SVID,
    );
    const request = create(X509SVIDRequestSchema);
    const stream = this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      securityHeader(),
    );
    const cancel = (): void => stream.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    try {
      yield* stream as AsyncIterable<X509SVIDResponse>;
    } catch (error) {
      if (!signal.aborted) throw this.#problem(error as ServiceError);
    } finally {
      signal.removeEventListener("abort", cancel);
      stream.cancel();
    }
  }

  /** @throws WorkloadApiError */
  async fetchJwtSvid(audience: readonly string[], timeoutMs: number): Promise<JWTSVIDResponse> {
    const request = create(JWTSVIDRequestSchema, { audience: [...audience] });
    return this.#call(SpiffeWorkloadAPI.method.fetchJWTSVID, request, timeoutMs);
  }

  /** @throws WorkloadApiError `workload-api-invalid-argument` for a token that is not valid */
  async validateJwtSvid(
    audience: string,
    svid: string,
    timeoutMs: number,
  ): Promise<ValidateJWTSVIDResponse> {
    const request = create(ValidateJWTSVIDRequestSchema, { audience, svid });
    return this.#call(SpiffeWorkloadAPI.method.validateJWTSVID, request, timeoutMs);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  #call<M extends DescMethod>(
    method: M,
    request: MessageShape<M["input"] & DescMessage>,
    timeoutMs: number,
  ): Promise<MessageShape<M["output"]>> {
    const definition = methodDefinition(SpiffeWorkloadAPI, method);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        definition.path,
        definition.requestSerialize,
        definition.responseDeserialize,
        request,
        securityHeader(),
        { deadline: Date.now() + timeoutMs },
        (error, response) => {
          if (response !== undefined) resolve(response);
          else if (error !== null) reject(this.#problem(error));
        },
      );
    });
  }

  #problem(cause: ServiceError): WorkloadApiError {
    const { code, message, hint } = problemOf(cause);
    const options = { cause, ...(hint !== undefined && { hint }) };
    return new WorkloadApiError(code, `${this.#address}: ${message}`, options);
  }
}

/** SPIFFE Workload Endpoint 6: what a page in somebody's browser could not be made to send. */
function securityHeader(): Metadata {
  const metadata = new Metadata();
  metadata.set("workload.spiffe.io", "true");
  return metadata;
}
