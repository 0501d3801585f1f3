/** PeerAuthentication, validated as Istio's webhook and its custom resource definition do. */

import { readDebt } from "../../core/flip/debt.ts";
import type { PeerAuthentication, PeerMode } from "../../core/resources/peer-authentication.ts";
import type { Json } from "./manifest.ts";
import type { Head } from "./metadata.ts";
import { shown, type Place } from "./place.ts";
import { entries, fields, oneOf, optional, type Reader } from "./reader.ts";
import { labels, noLabels } from "./words.ts";

const mtls = fields({
  mode: optional(oneOf<PeerMode>(["UNSET", "DISABLE", "PERMISSIVE", "STRICT"]), "UNSET"),
});

const unset = { mode: "UNSET" } as const;

const portKey: Reader<number> = (key, place) => {
  const port = typeof key === "string" && /^\d{1,5}$/.test(key) ? Number(key) : 0;
  if (port < 1 || port > 65_535) place.refuse(`expected a port from 1 to 65535, got ${shown(key)}`);
  return port;
};

const spec = fields({
  selector: optional(fields({ matchLabels: optional(labels, noLabels) }), {
    matchLabels: noLabels,
  }),
  mtls: optional(mtls, unset),
  portLevelMtls: optional(
    entries(portKey, (value, place) => optional(mtls, unset)(value, place), 1_024),
    undefined,
  ),
});

export function readPeerAuthentication(
  { resource, metadata }: Head,
  value: Json,
  place: Place,
): PeerAuthentication {
  const {
    selector,
    mtls: { mode },
    portLevelMtls: ports,
  } = spec(value, place);
  const at = place.child("portLevelMtls");
  if (ports?.size === 0) at.refuse("expected at least one port, got none", "leave it out");
  if (ports !== undefined && ports.size > 0 && selector.matchLabels.size === 0) {
    at.refuse(
      "expected a selector with matchLabels beside it, got none",
      "only a workload's policy has ports: say in spec.selector.matchLabels whose",
    );
  }
  const debt = readDebt({ metadata });
  return {
    ...resource,
    ...(debt !== undefined && debt.untilMs === undefined && { unreadableUntil: debt.until }),
    selector: selector.matchLabels,
    mode,
    ports: new Map(Array.from(ports ?? [], ([port, each]) => [port, each.mode])),
  };
}
