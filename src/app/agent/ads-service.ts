/** Envoy's Aggregated Discovery Service over gRPC: everything that an Envoy is told, on one stream and in order. */

import type { Server, ServerDuplexStream } from "@grpc/grpc-js";
import type { XdsProtocol, XdsResponse } from "../../core/xds/subscription.ts";
import { deltaRequest, deltaResponse, sotwRequest, sotwResponse } from "../../core/xds/wire.ts";
import { addService } from "../../edge/rpc/service-definition.ts";
import { AggregatedDiscoveryService } from "../../gen/envoy/service/discovery/v3/ads_pb.ts";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from "../../gen/envoy/service/discovery/v3/discovery_pb.ts";
import { AdsStream, type AdsStreamOptions } from "./ads-stream.ts";
import type { XdsCall, XdsCalls } from "./xds-calls.ts";

type SotwCall = ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>;
type DeltaCall = ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

type AdsServiceOptions = Pick<AdsStreamOptions, "feed" | "namesWorkload" | "nowMs">;

export class AdsService {
  readonly #calls: XdsCalls;
  readonly #options: AdsServiceOptions;

  constructor(calls: XdsCalls, options: AdsServiceOptions) {
    this.#calls = calls;
    this.#options = options;
  }

  addTo(server: Server): void {
    addService(server, AggregatedDiscoveryService, {
      streamAggregatedResources: (call: SotwCall) => {
        const stream = this.#open("sotw", this.#calls.open(call), sotwResponse);
        call.on("data", (request: DiscoveryRequest) => stream?.receiveSotw(sotwRequest(request)));
      },
      deltaAggregatedResources: (call: DeltaCall) => {
        const stream = this.#open("delta", this.#calls.open(call), deltaResponse);
        call.on("data", (request: DeltaDiscoveryRequest) =>
          stream?.receiveDelta(deltaRequest(request)),
        );
      },
    });
  }

  #open<Response>(
    protocol: XdsProtocol,
    call: XdsCall<Response> | undefined,
    encode: (typeUrl: string, response: XdsResponse<unknown>) => Response,
  ): AdsStream | undefined {
    if (call === undefined) return undefined;
    const { peer, end, onClosed } = call;
    const send = (typeUrl: string, response: XdsResponse<unknown>): void =>
      call.send(encode(typeUrl, response));
    const stream = new AdsStream({ ...this.#options, protocol, peer, send, end });
    onClosed(() => stream.close());
    return stream;
  }
}
