/**
 * One ADS stream: each type is a subscriber of its own. Secrets go through the workload's channel, as on a stream of their own; the
 * rest through a channel of this proxy. Envoy says who it is in its first request only, whatever that asks for.
 */

import { status } from "@grpc/grpc-js";
import { secretTypeUrl } from "../../core/envoy/secret.ts";
import type { Labels } from "../../core/resources/resource.ts";
import type { DeltaRequest, SotwRequest, XdsNode } from "../../core/xds/subscriber.ts";
import type { XdsProtocol, XdsResponse } from "../../core/xds/subscription.ts";
import { PolicyChannel, policyKind, type PolicyChannelOptions } from "./policy/policy-channel.ts";
import { nodeIdLengthMax } from "./proxy-evidence.ts";
import type { StreamEnd, StreamHandle } from "./secret-channel.ts";
import type { XdsPeer } from "./xds-calls.ts";

export interface AdsStreamOptions extends Pick<
  PolicyChannelOptions,
  "feed" | "namesWorkload" | "nowMs"
> {
  readonly protocol: XdsProtocol;
  readonly peer: XdsPeer;
  readonly send: (typeUrl: string, response: XdsResponse<unknown>) => void;
  readonly end: (end: StreamEnd) => void;
}

/** As Kubernetes limits them: a prefix, a slash and a name; and a value. */
const labelKeyLengthMax = 317;
const labelValueLengthMax = 63;
const labelsMax = 64;

export class AdsStream {
  readonly #options: AdsStreamOptions;
  readonly #secrets: StreamHandle;
  #node: XdsNode | undefined;
  #policy: PolicyChannel | undefined;
  #isOver = false;

  constructor(options: AdsStreamOptions) {
    this.#options = options;
    const send = (response: XdsResponse<unknown>): void => options.send(secretTypeUrl, response);
    const end = (why: StreamEnd): void => this.#end(why);
    // Also where no secret is asked for yet: a workload that ends takes its streams along.
    this.#secrets = options.peer.channel.open(options.protocol, { send, end });
  }

  receiveSotw(request: SotwRequest): void {
    const node = this.#meet(request);
    if (node === undefined) return;
    const { typeUrl } = request;
    const kind = policyKind(typeUrl);
    if (typeUrl === secretTypeUrl) this.#secrets.receiveSotw({ ...request, node });
    else if (kind !== undefined) this.#policyOf(node)?.receiveSotw(kind, { ...request, node });
    else this.#endUnknownType(typeUrl);
  }

  receiveDelta(request: DeltaRequest): void {
    const node = this.#meet(request);
    if (node === undefined) return;
    const { typeUrl } = request;
    const kind = policyKind(typeUrl);
    if (typeUrl === secretTypeUrl) this.#secrets.receiveDelta({ ...request, node });
    else if (kind !== undefined) this.#policyOf(node)?.receiveDelta(kind, { ...request, node });
    else this.#endUnknownType(typeUrl);
  }

  close(): void {
    this.#isOver = true;
    this.#secrets.close();
    this.#policy?.close();
  }

  #meet(request: SotwRequest | DeltaRequest): XdsNode | undefined {
    if (this.#isOver) return undefined;
    this.#node ??= request.node;
    if (this.#node === undefined) this.#endInvalid("expected the node in the first request");
    return this.#node;
  }

  #policyOf({ id, labels = new Map<string, string>() }: XdsNode): PolicyChannel | undefined {
    if (this.#policy !== undefined) return this.#policy;
    if (id === "" || id.length > nodeIdLengthMax) {
      this.#endInvalid(`expected a node id of 1 to ${nodeIdLengthMax} characters`);
      return undefined;
    }
    if (!areLabels(labels)) {
      this.#endInvalid(`expected at most ${labelsMax} labels of Kubernetes' lengths`);
      return undefined;
    }
    const { peer, send } = this.#options;
    const { owner } = peer;
    const end = (why: StreamEnd): void => this.#end(why);
    this.#policy = new PolicyChannel({
      ...this.#options,
      proxyId: id,
      labels,
      owner,
      send,
      end,
    });
    return this.#policy;
  }

  #endUnknownType(typeUrl: string): void {
    const got = JSON.stringify(typeUrl.slice(0, 200));
    this.#endInvalid(`expected secrets, listeners, clusters or endpoints, got type_url ${got}`);
  }

  #endInvalid(details: string): void {
    this.#end({ code: status.INVALID_ARGUMENT, details });
  }

  #end(end: StreamEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.end(end);
  }
}

function areLabels(labels: Labels): boolean {
  return (
    labels.size <= labelsMax &&
    [...labels].every(
      ([key, value]) => key.length <= labelKeyLengthMax && value.length <= labelValueLengthMax,
    )
  );
}
