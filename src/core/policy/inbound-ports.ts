/** The listeners that a Sidecar's `ingress` gives a workload, and where its application is. */

import type { IngressListener, Sidecar } from "../resources/sidecar.ts";
import { isIpAddress, isUnixAddress, unixPath } from "./host-address.ts";
import { isHttp, isHttp2 } from "./outbound-cluster.ts";
import { modeOf } from "./port-modes.ts";
import type { AppAddress, InboundPort, PortModes } from "./proxy-policy.ts";

/** @param address of its WorkloadEntry, if there is one */
export function inboundPorts(
  { ingress }: Pick<Sidecar, "ingress">,
  address: string | undefined,
  modes: PortModes,
): readonly InboundPort[] {
  const own = address !== undefined && isIpAddress(address) ? address : undefined;
  const ports = new Map<number, InboundPort>();
  for (const listener of ingress) {
    const { number, protocol } = listener.port;
    // Of two for one port the first holds.
    if (ports.has(number)) continue;
    ports.set(number, {
      port: number,
      bind: listener.bind || (own ?? "0.0.0.0"),
      protocol: protocol === "AUTO" ? "auto" : isHttp(protocol) ? "http" : "tcp",
      isHttp2: isHttp2(protocol),
      app: appOf(listener, own),
      mode: modeOf(modes, number),
    });
  }
  return Array.from(ports.values()).toSorted((a, b) => a.port - b.port);
}

/** `HOST|PORT` of what the application, or a listener of these, has: `*` for all hosts. */
export function takenAddresses({ ingress }: Pick<Sidecar, "ingress">): readonly string[] {
  const taken = ingress.flatMap((listener) => {
    const app = writtenApp(listener);
    const own = listener.bind === "" ? [] : [`${listener.bind}|${listener.port.number}`];
    return app.kind === "ip" ? [...own, `${isAny(app.host) ? "*" : app.host}|${app.port}`] : own;
  });
  return [...new Set(taken)].toSorted();
}

/** Istio: the address that stands for all is that of the instance. */
function appOf(listener: IngressListener, own: string | undefined): AppAddress {
  const app = writtenApp(listener);
  return app.kind === "ip" && isAny(app.host) ? { ...app, host: own ?? "127.0.0.1" } : app;
}

/** Where nothing is written it is on the loopback, under the same port. */
function writtenApp({ defaultEndpoint, port }: IngressListener): AppAddress {
  if (isUnixAddress(defaultEndpoint)) return { kind: "unix", path: unixPath(defaultEndpoint) };
  const colon = defaultEndpoint.lastIndexOf(":");
  if (colon < 0) return { kind: "ip", host: "127.0.0.1", port: port.number };
  const host = defaultEndpoint.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return { kind: "ip", host, port: Number(defaultEndpoint.slice(colon + 1)) };
}

function isAny(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}
