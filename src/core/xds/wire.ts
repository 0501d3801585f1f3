/** Between the xDS transport messages and the subscriber's values. */

import { create, type JsonValue } from "@bufbuild/protobuf";
import type { Node } from "../../gen/envoy/config/core/v3/base_pb.ts";
import {
  DeltaDiscoveryResponseSchema,
  DiscoveryResponseSchema,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  type DiscoveryRequest,
  type DiscoveryResponse,
} from "../../gen/envoy/service/discovery/v3/discovery_pb.ts";
import type { Labels } from "../resources/resource.ts";
import type { DeltaRequest, SotwRequest, XdsNode } from "./subscriber.ts";
import type { XdsResponse } from "./subscription.ts";

export function sotwRequest(message: DiscoveryRequest): SotwRequest {
  return {
    typeUrl: message.typeUrl,
    node: xdsNode(message.node),
    versionInfo: message.versionInfo,
    responseNonce: message.responseNonce,
    error: message.errorDetail?.message,
    resourceNames: message.resourceNames,
  };
}

export function deltaRequest(message: DeltaDiscoveryRequest): DeltaRequest {
  return {
    typeUrl: message.typeUrl,
    node: xdsNode(message.node),
    responseNonce: message.responseNonce,
    error: message.errorDetail?.message,
    subscribe: message.resourceNamesSubscribe,
    unsubscribe: message.resourceNamesUnsubscribe,
    initialVersions: new Map(Object.entries(message.initialResourceVersions)),
  };
}

/** Each Any's type_url must be the response's, or Envoy refuses the response. */
export function sotwResponse<E>(typeUrl: string, response: XdsResponse<E>): DiscoveryResponse {
  return create(DiscoveryResponseSchema, {
    typeUrl,
    nonce: response.nonce,
    versionInfo: response.versionInfo,
    resources: response.resources.map(({ body }) => ({ typeUrl, value: body })),
  });
}

export function deltaResponse<E>(
  typeUrl: string,
  response: XdsResponse<E>,
): DeltaDiscoveryResponse {
  return create(DeltaDiscoveryResponseSchema, {
    typeUrl,
    nonce: response.nonce,
    systemVersionInfo: response.versionInfo,
    resources: response.resources.map(({ name, version, body }) => ({
      name,
      version,
      resource: { typeUrl, value: body },
    })),
    removedResources: [...response.removed],
  });
}

function xdsNode(node: Node | undefined): XdsNode | undefined {
  if (node === undefined) return undefined;
  const { id, cluster, metadata } = node;
  const labels = labelsOf(metadata?.[labelsField]);
  return { id, cluster, ...(labels !== undefined && { labels }) };
}

/** Istio's name for it. */
const labelsField = "LABELS";

function labelsOf(value: JsonValue | undefined): Labels | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const isText = (entry: [string, unknown]): entry is [string, string] =>
    typeof entry[1] === "string";
  return new Map(Object.entries(value).filter(isText));
}
