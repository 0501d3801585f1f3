/**
 * Envoy's Secret Discovery Service, in its three forms, over gRPC: each call is led to the channel of its workload, and
 * messages are moved between the two.
 */

import {
  status,
  type Metadata,
  type sendUnaryData,
  type Server,
  type ServerDuplexStream,
  type ServerUnaryCall,
} from "@grpc/grpc-js";
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
import type { SecretChannel, StreamEnd, StreamHandle } from "./secret-channel.ts";

/** Whose secrets a call is for, by its metadata; or how it ends. */
export type FindChannel = (metadata: Metadata) => SecretChannel | StreamEnd;

type SotwCall = ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>;
type DeltaCall = ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
type FetchCall = ServerUnaryCall<DiscoveryRequest, DiscoveryResponse>;

export class SdsService {
  readonly #findChannel: FindChannel;
  readonly #streamsMax: number;
  #streams = 0;

  /** @param streamsMax of all channels together */
  constructor(findChannel: FindChannel, streamsMax: number) {
    this.#findChannel = findChannel;
    this.#streamsMax = streamsMax;
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
    const stream = this.#open("sotw", call, (response) =>
      call.write(sotwResponse(secretTypeUrl, response)),
    );
    call.on("data", (request: DiscoveryRequest) => stream?.receiveSotw(sotwRequest(request)));
  }

  #deltaSecrets(call: DeltaCall): void {
    const stream = this.#open("delta", call, (response) =>
      call.write(deltaResponse(secretTypeUrl, response)),
    );
    call.on("data", (request: DeltaDiscoveryRequest) =>
      stream?.receiveDelta(deltaRequest(request)),
    );
  }

  #fetchSecrets({ metadata, request }: FetchCall, reply: sendUnaryData<DiscoveryResponse>): void {
    const channel = this.#findChannel(metadata);
    const answer = "code" in channel ? channel : channel.fetch(sotwRequest(request));
    if ("code" in answer) reply(answer);
    else reply(null, sotwResponse(secretTypeUrl, answer));
  }

  /** @param write false when the client does not keep up */
  #open(
    protocol: XdsProtocol,
    call: SotwCall | DeltaCall,
    write: (response: XdsResponse<SecretEvidence>) => boolean,
  ): StreamHandle | undefined {
    const end = ({ code, details }: StreamEnd): void => void call.emit("error", { code, details });
    call.on("error", () => {});
    if (this.#streams >= this.#streamsMax) {
      end({ code: status.RESOURCE_EXHAUSTED, details: "too many streams" });
      return undefined;
    }
    const channel = this.#findChannel(call.metadata);
    if ("code" in channel) {
      end(channel);
      return undefined;
    }
    this.#streams += 1;
    let handle: StreamHandle | undefined;
    onceClosed(call, () => {
      this.#streams -= 1;
      handle?.close();
    });
    const send = (response: XdsResponse<SecretEvidence>): void => {
      if (write(response)) return;
      // Whoever does not read its answers is not heard, either.
      call.pause();
      call.once("drain", () => call.resume());
    };
    handle = channel.open(protocol, { send, end });
    return handle;
  }
}

function onceClosed(call: SotwCall | DeltaCall, close: () => void): void {
  let isOpen = true;
  const closeOnce = (): void => {
    if (isOpen) close();
    isOpen = false;
  };
  call.on("error", closeOnce);
  call.on("cancelled", closeOnce);
  call.on("close", closeOnce);
  call.on("end", () => {
    closeOnce();
    call.end();
  });
}
