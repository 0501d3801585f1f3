/**
 * The SPIFFE Workload API of one workload: whoever can open the socket is the workload, and gets
 * its identity; nobody is told apart by process. Every request has the header that no browser can
 * be made to send (SPIFFE Workload Endpoint 6), and nothing is done for one without it.
 */

import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import type {
  Metadata,
  sendUnaryData,
  ServerUnaryCall,
  ServerWritableStream,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { ProxyEvidence } from "../../../core/roll/evidence.ts";
import { SpiffeId, SpiffeIdError } from "../../../core/spiffe/id.ts";
import { verifyJwtSvid } from "../../../edge/authn/jwt-svid.ts";
import {
  JWTSVIDResponseSchema,
  ValidateJWTSVIDResponseSchema,
  type JWTSVIDRequest,
  type JWTSVIDResponse,
  type ValidateJWTSVIDRequest,
  type ValidateJWTSVIDResponse,
} from "../../../gen/spiffe/workload/workload_pb.ts";
import type { BundleReader } from "../bundle-readers.ts";
import type { WorkloadSet } from "../workload-set.ts";
import { JwtSvids } from "./jwt-svids.ts";
import { internalError, statusOf, WorkloadApiRefusal } from "./refusal.ts";
import { jwtBundles, x509Bundles, x509Svids } from "./responses.ts";
import { noIdentity, WorkloadStreams, type StreamContent } from "./workload-streams.ts";

export interface WorkloadApiOptions {
  /** `HOST:PORT` of the control plane, which makes the JWT-SVIDs. */
  readonly server: string;
  /** PEM, read at each connection. */
  readonly serverRoots: () => Promise<Uint8Array>;
  /** Undefined where the identity did not come by a token of an issuer. */
  readonly tokenFile: string | undefined;
  /** Undefined while there is none that is valid. */
  readonly set: () => WorkloadSet | undefined;
  readonly nowMs: () => number;
  /** No JWT-SVID was to be had, or something that nobody has foreseen. */
  readonly onProblem: (error: unknown) => void;
  /** Somebody who listens for whom to trust. */
  readonly listen: () => BundleReader;
  /** What the open streams hold has changed. */
  readonly onEvidence: () => void;
}

const streamsMax = 256;
const audiencesMax = 64;
const audienceBytesMax = 1_024;

export class WorkloadApi implements Disposable {
  readonly #options: WorkloadApiOptions;
  readonly #streams: WorkloadStreams;
  readonly #jwtSvids: JwtSvids;

  constructor(options: WorkloadApiOptions) {
    this.#options = options;
    this.#streams = new WorkloadStreams({ ...options, streamsMax });
    this.#jwtSvids = new JwtSvids(options);
  }

  /** Of `SpiffeWorkloadAPI`. What is not here is Unimplemented. */
  get handlers(): UntypedServiceImplementation {
    return {
      fetchX509SVID: this.#stream(x509Svids),
      fetchX509Bundles: this.#stream(x509Bundles),
      fetchJWTBundles: this.#stream(jwtBundles),
      fetchJWTSVID: this.#unary((request: JWTSVIDRequest) => this.#fetchJwtSvid(request)),
      validateJWTSVID: this.#unary((request: ValidateJWTSVIDRequest) =>
        this.#validateJwtSvid(request),
      ),
    };
  }

  /** There is another certificate or bundle. */
  setChanged(): void {
    this.#streams.setChanged();
  }

  /** Of the open streams, by delivery. */
  evidence(): ProxyEvidence[] {
    return this.#streams.evidence();
  }

  [Symbol.dispose](): void {
    this.#streams[Symbol.dispose]();
    this.#jwtSvids[Symbol.dispose]();
  }

  #stream<M extends DescMessage>(content: StreamContent<M>) {
    return (call: ServerWritableStream<unknown, MessageShape<M>>): void => {
      // A client that went away is no event.
      call.on("error", () => {});
      try {
        assertSecurityHeader(call.metadata);
        this.#streams.open(call, content);
      } catch (error) {
        call.emit("error", this.#statusOf(error));
      }
    };
  }

  #unary<Request, Response>(answer: (request: Request) => Promise<Response>) {
    return (call: ServerUnaryCall<Request, Response>, reply: sendUnaryData<Response>): void => {
      const answered = async (): Promise<Response> => {
        assertSecurityHeader(call.metadata);
        return answer(call.request);
      };
      answered().then(
        (response) => reply(null, response),
        (error: unknown) => reply(this.#statusOf(error)),
      );
    };
  }

  async #fetchJwtSvid({ audience, spiffeId }: JWTSVIDRequest): Promise<JWTSVIDResponse> {
    const audiences = parseAudiences(audience);
    const set = this.#held();
    const { id } = set.certificate;
    assertOwn(spiffeId, id);
    const svid = await this.#jwtSvids.fetch(set, audiences);
    return create(JWTSVIDResponseSchema, { svids: [{ spiffeId: id.toString(), svid }] });
  }

  async #validateJwtSvid(request: ValidateJWTSVIDRequest): Promise<ValidateJWTSVIDResponse> {
    const { audience, svid } = request;
    if (audience === "") throw badArgument("expected an audience");
    const { bundle } = this.#held();
    const { id, claims } = verifyJwtSvid(svid, bundle, audience, this.#options.nowMs());
    return create(ValidateJWTSVIDResponseSchema, {
      spiffeId: id.toString(),
      claims: claims as NonNullable<ValidateJWTSVIDResponse["claims"]>,
    });
  }

  /** @throws WorkloadApiRefusal */
  #held(): WorkloadSet {
    const set = this.#options.set();
    if (set === undefined) throw noIdentity();
    return set;
  }

  #statusOf(error: unknown) {
    const status = statusOf(error);
    if (status === undefined) this.#options.onProblem(error);
    return status ?? internalError;
  }
}

/** Exactly once, and exactly so. */
function assertSecurityHeader(metadata: Metadata): void {
  const [value, second] = metadata.get("workload.spiffe.io");
  if (value === "true" && second === undefined) return;
  throw new WorkloadApiRefusal(
    "workload-header-missing",
    "expected the metadata workload.spiffe.io: true",
  );
}

/** Sorted, each once. */
function parseAudiences(audiences: readonly string[]): readonly string[] {
  const isFit = audiences.every(
    (audience) => audience !== "" && Buffer.byteLength(audience) <= audienceBytesMax,
  );
  if (isFit && audiences.length > 0 && audiences.length <= audiencesMax) {
    return [...new Set(audiences)].toSorted();
  }
  throw badArgument(
    `expected 1 to ${audiencesMax} audiences of 1 to ${audienceBytesMax} bytes each`,
  );
}

/** Empty asks for all that the workload has, and that is one. */
function assertOwn(spiffeId: string, id: SpiffeId): void {
  if (spiffeId === "" || spiffeId === id.toString()) return;
  try {
    SpiffeId.parse(spiffeId);
  } catch (error) {
    if (error instanceof SpiffeIdError) throw badArgument("spiffe_id: expected a SPIFFE ID");
    throw error;
  }
  throw new WorkloadApiRefusal("workload-identity-foreign", "that is not this workload's identity");
}

function badArgument(message: string): WorkloadApiRefusal {
  return new WorkloadApiRefusal("workload-argument-invalid", message);
}
