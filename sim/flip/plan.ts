/** How a simulated mesh begins. */

import type { InboundProtocol } from "../../src/core/policy/proxy-policy.ts";
import type { Protocol } from "../../src/core/resources/service-entry.ts";
import type { PeerMode } from "../../src/core/resources/peer-authentication.ts";
import type { Random } from "../run/random.ts";
import type { Caller } from "./caller.ts";
import type { StoredObject } from "./disk.ts";
import {
  apiPorts,
  clientSidecar,
  peerManifest,
  peerObject,
  plaintextRule,
  refOf,
  serverSidecar,
  serviceObject,
} from "./mesh-objects.ts";
import { podNames, type PodNames } from "./pod-names.ts";

const protocols = ["TCP", "HTTP", "AUTO"] as const;
const inbound: Readonly<Record<(typeof protocols)[number], InboundProtocol>> = {
  TCP: "tcp",
  HTTP: "http",
  AUTO: "auto",
};
const lookBacksMs = [40_000, 60_000, 90_000] as const;

export class Plan {
  readonly lookBackMs: number;
  readonly isCrowded: boolean;
  readonly pods: readonly PodNames[];
  readonly callers: readonly Caller[];
  readonly objects: readonly StoredObject[];
  readonly #protocols: ReadonlyMap<number, (typeof protocols)[number]>;

  constructor(random: Random) {
    this.lookBackMs = lookBacksMs[random.below(3)] ?? 40_000;
    this.#protocols = new Map(apiPorts.map((port) => [port, protocols[random.below(3)] ?? "TCP"]));
    this.isCrowded = random.below(16) === 0;
    const api = Array.from({ length: 1 + random.below(3) }, (_, at) =>
      podNames("api", at + 1, random),
    );
    const web = Array.from({ length: random.below(3) }, (_, at) => podNames("web", at + 1, random));
    this.pods = [...api, ...web];
    this.callers = [
      callerOf(random, "cron", 2, 3_000 + random.below(5_000)),
      callerOf(random, "batch", 3, Math.floor(this.lookBackMs * (0.5 + random.below(40) / 100))),
      callerOf(random, "legacy", 4, 5_000 + random.below(20_000)),
    ];
    this.objects = [
      ...[serviceObject(), serverSidecar(this.#written()), clientSidecar()].map((object) => {
        return { object, manifest: undefined };
      }),
      ...(random.below(6) === 0 ? [{ object: plaintextRule, manifest: undefined }] : []),
      ...firstPolicies(random),
    ];
  }

  protocolOf(port: number): InboundProtocol {
    return inbound[this.#protocols.get(port) ?? "TCP"];
  }

  #written(): ReadonlyMap<number, Protocol> {
    return this.#protocols;
  }
}

function callerOf(random: Random, name: string, net: number, periodMs: number): Caller {
  return {
    name,
    kind: random.below(3) === 0 ? "tls" : "plaintext",
    isHttp: random.below(2) === 0,
    claim: name,
    periodMs,
    lastsMsMax: random.below(4) === 0 ? 200_000 : 2_000,
    address: `10.0.${net}.1`,
    isCalling: random.below(4) === 0,
  };
}

/** Most targets have no policy of their own yet. */
function firstPolicies(random: Random): StoredObject[] {
  const policies: StoredObject[] = [];
  if (random.below(3) === 0) {
    const port = apiPorts[random.below(apiPorts.length)] ?? 0;
    const isPort = random.below(3) === 0;
    policies.push(
      peerOf("api", "api", "PERMISSIVE", isPort ? new Map([[port, "STRICT"]]) : new Map()),
    );
  }
  if (random.below(3) === 0) policies.push(peerOf("default", "", "PERMISSIVE", new Map()));
  return policies;
}

export function peerOf(
  name: string,
  app: string,
  mode: PeerMode,
  ports: ReadonlyMap<number, PeerMode>,
): StoredObject {
  const manifest = peerManifest({ name, app, mode, ports });
  return { object: peerObject(refOf("PeerAuthentication", name), manifest), manifest };
}
