/** Service and EndpointSlice: which hosts there are, and who answers for them. */

import type { JsonObject } from "../../../core/identity/json-object.ts";
import type {
  EndpointSlice,
  KubeService,
  KubeServicePort,
  SliceEndpoint,
} from "../../../core/kube/kube-service.ts";
import type { WatchedKind } from "../watch/reflector-options.ts";
import { protocolOf } from "./port-protocol.ts";
import { headOf, objectOf, objectsOf, portOf, textOf, textsByName, textsOf } from "./raw-object.ts";

export const services: WatchedKind<KubeService> = { path: "/api/v1/services", parse: readService };

export const endpointSlices: WatchedKind<EndpointSlice> = {
  path: "/apis/discovery.k8s.io/v1/endpointslices",
  parse: readSlice,
};

function readService(raw: JsonObject): KubeService | undefined {
  const head = headOf(raw);
  if (head === undefined) return undefined;
  const { namespace, name, uid, createdMs, annotations } = head;
  const spec = objectOf(raw["spec"]);
  const isExternal = spec["type"] === "ExternalName";
  return {
    namespace,
    name,
    uid,
    createdMs,
    // Headless ones say "None".
    clusterIPs: textsOf(spec["clusterIPs"] ?? [spec["clusterIP"]]).filter((ip) => ip !== "None"),
    ports: objectsOf(spec["ports"]).flatMap((port) => readPort(port)),
    selector: textsByName(spec["selector"]),
    externalName: isExternal ? textOf(spec["externalName"]) : undefined,
    exportTo: wordsOf(annotations["networking.istio.io/exportTo"]),
    publishesNotReady: spec["publishNotReadyAddresses"] === true,
  };
}

function readPort(port: JsonObject): readonly KubeServicePort[] {
  const number = portOf(port["port"]);
  if (number === undefined || !isTcp(port)) return [];
  const name = textOf(port["name"]);
  const protocol = protocolOf(name, textOf(port["appProtocol"]));
  return [{ number, name, protocol, targetPort: portOf(port["targetPort"]) }];
}

function readSlice(raw: JsonObject): EndpointSlice | undefined {
  const head = headOf(raw);
  if (head === undefined) return undefined;
  const { namespace, name, uid, labels } = head;
  const ports = objectsOf(raw["ports"]).flatMap((each) => {
    const port = portOf(each["port"]);
    return port === undefined || !isTcp(each) ? [] : [[textOf(each["name"]), port] as const];
  });
  // Names of DNS are no addresses; such slices are deprecated.
  const isIp = raw["addressType"] !== "FQDN";
  return {
    namespace,
    name,
    uid,
    serviceName: labels.get("kubernetes.io/service-name") ?? "",
    endpoints: isIp ? objectsOf(raw["endpoints"]).map(readEndpoint) : [],
    ports: new Map(ports),
  };
}

function readEndpoint(raw: JsonObject): SliceEndpoint {
  const { kind, name } = objectOf(raw["targetRef"]);
  return {
    addresses: textsOf(raw["addresses"]),
    podName: kind === "Pod" ? textOf(name) : undefined,
    isReady: objectOf(raw["conditions"])["ready"] !== false,
  };
}

/** Kubernetes' default; UDP and SCTP carry no mTLS. */
function isTcp({ protocol }: JsonObject): boolean {
  return protocol === undefined || protocol === "TCP";
}

function wordsOf(annotation: unknown): readonly string[] {
  return textOf(annotation)
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}
