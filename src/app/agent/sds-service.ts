/**
 * Envoy's Secret Discovery Service, in its three forms, over gRPC: each call is led to the channel of its workload, and
 * messages are moved between the two.
 */

import type { sendUnaryData, Server, ServerDuplexStream, ServerUnaryCall } from "@grpc/grpc-js";
import { secretTypeUrl, type SecretEvidence } from "../../core/envoy/secret.ts";
import type { XdsProtocol, XdsResponse } from "../../core/xds/subscription.ts";
import { deltaRequest, deltaResponse, sotwRequest, sotwResponse } from "../../core/xds/wire.ts";
import { addService } from "../../edge/rpc/service-definition.ts";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from "../../gen/envoy/service/discovery/v3/discovery_pb.ts";
import { SecretDiscoveryService } from "../../gen/envoy/service/secret/v3/sds_pb.ts";
import type { StreamHandle } from "./secret-channel.ts";
import type { XdsCall, XdsCalls } from "./xds-calls.ts";

type SotwCall = ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>;
type DeltaCall = ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
type FetchCall = ServerUnaryCall<DiscoveryRequest, DiscoveryResponse>;

export class SdsService {
  readonly #calls: XdsCalls;

  constructor(calls: XdsCalls) {
    this.#calls = calls;
  }

  addTo(server: Server): void {
    addService(server, SecretDiscoveryService, {
      streamSecrets: (call: SotwCall) => this.#streamSecrets(call),
      deltaSecrets: (call: DeltaCall) => this.#deltaSecrets(call),
      fetchSecrets: (call: FetchCall, reply: sendUnaryData<DiscoveryResponse>) =>
        this.#fetchSecrets(call, reply),
    });
  }

  #streamSecrets(call: SotwCall): void {
    const stream = open("sotw", this.#calls.open(call), sotwResponse);
    call.on("data", (request: DiscoveryRequest) => stream?.receiveSotw(sotwRequest(request)));
  }

  #deltaSecrets(call: DeltaCall): void {
    const stream = open("delta", this.#calls.open(call), deltaResponse);
    call.on("data", (request: DeltaDiscoveryRequest) =>
      stream?.receiveDelta(deltaRequest(request)),
    );
  }

  #fetchSecrets({ metadata, request }: FetchCall, reply: sendUnaryData<DiscoveryResponse>): void {
    const peer = this.#calls.findPeer(metadata);
    const answer = "code" in peer ? peer : peer.channel.fetch(sotwRequest(request));
    if ("code" in answer) reply(answer);
    else reply(null, sotwResponse(secretTypeUrl, answer));
  }
}

function open<Response>(
  protocol: XdsProtocol,
  call: XdsCall<Response> | undefined,
  encode: (typeUrl: string, response: XdsResponse<SecretEvidence>) => Response,
): StreamHandle | undefined {
  if (call === undefined) return undefined;
  const send = (response: XdsResponse<SecretEvidence>): void =>
    call.send(encode(secretTypeUrl, response));
  const handle = call.peer.channel.open(protocol, { send, end: call.end });
  call.onClosed(() => handle.close());
  return handle;
}
