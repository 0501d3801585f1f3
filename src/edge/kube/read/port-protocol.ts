/** What a service's port speaks, as Istio finds it out: `appProtocol`, then the first word of the port's name; else Envoy looks. */

import type { Protocol } from "../../../core/resources/service-entry.ts";

const words: ReadonlyMap<string, Protocol> = new Map([
  ["grpc", "GRPC"],
  ["grpc-web", "GRPC"],
  ["http", "HTTP"],
  ["http2", "HTTP2"],
  ["https", "HTTPS"],
  ["mongo", "TCP"],
  ["mysql", "TCP"],
  ["redis", "TCP"],
  ["tcp", "TCP"],
  ["tls", "TLS"],
  // Kubernetes' own (KEP-3726).
  ["kubernetes.io/h2c", "HTTP2"],
  ["kubernetes.io/ws", "HTTP"],
  ["kubernetes.io/wss", "HTTPS"],
]);

/** @param appProtocol "" for none; one that is not known says nothing */
export function protocolOf(name: string, appProtocol: string): Protocol {
  const said = words.get(appProtocol.toLowerCase());
  if (said !== undefined) return said;
  const lower = name.toLowerCase();
  // The one word with a dash in it.
  if (lower === "grpc-web" || lower.startsWith("grpc-web-")) return "GRPC";
  return words.get(lower.split("-", 1)[0] ?? "") ?? "AUTO";
}
