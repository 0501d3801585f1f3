/** The inbound half of a ProxyPolicy on the wire and back: what its ports take. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AppAddress, InboundPort, PortModes } from "../../core/policy/proxy-policy.ts";
import {
  Protocol,
  ServerMode,
  type InboundPort as WireInbound,
  type InboundPortSchema,
  type ProxyPolicy as WirePolicy,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import {
  assertCount,
  assertPolicy,
  assertUnlike,
  parseIp,
  parsePort,
  parseText,
  wireNames,
} from "./policy-fields.ts";

type WireModes = Pick<WirePolicy, "otherMode" | "portModes">;

const portModesMax = 4_096;
/** Of `sockaddr_un`. */
const unixPathLengthMax = 108;

const modes = wireNames([
  ["disable", ServerMode.DISABLE],
  ["permissive", ServerMode.PERMISSIVE],
  ["strict", ServerMode.STRICT],
]);
const protocols = wireNames([
  ["tcp", Protocol.TCP],
  ["http", Protocol.HTTP],
  ["auto", Protocol.AUTO],
]);

/** By port: the order in which they were noted says nothing. */
export function encodeModes({ other, ports }: PortModes): {
  readonly otherMode: ServerMode;
  readonly portModes: { readonly port: number; readonly mode: ServerMode }[];
} {
  const byPort = [...ports].toSorted(([a], [b]) => a - b);
  return {
    otherMode: modes.encode(other),
    portModes: byPort.map(([port, mode]) => ({ port, mode: modes.encode(mode) })),
  };
}

/** @throws MeshMessageError */
export function parseModes({ otherMode, portModes }: WireModes): PortModes {
  assertCount(portModes, portModesMax, "port_modes");
  const ports = portModes.map(({ port, mode }, at) => {
    const path = `port_modes[${at}]`;
    return [parsePort(port, `${path}.port`), modes.parse(mode, `${path}.mode`)] as const;
  });
  assertUnlike(
    ports.map(([port]) => port),
    "port_modes",
  );
  return { other: modes.parse(otherMode, "other_mode"), ports: new Map(ports) };
}

export function encodeInbound(inbound: InboundPort): MessageInitShape<typeof InboundPortSchema> {
  const { port, bind, protocol, isHttp2, app, mode } = inbound;
  return {
    port,
    bind,
    protocol: protocols.encode(protocol),
    http2: isHttp2,
    ...(app.kind === "ip" ? { appHost: app.host, appPort: app.port } : { appPath: app.path }),
    mode: modes.encode(mode),
  };
}

/** @throws MeshMessageError */
export function parseInbound(wire: WireInbound, path: string): InboundPort {
  return {
    port: parsePort(wire.port, `${path}.port`),
    bind: parseIp(wire.bind, `${path}.bind`),
    protocol: protocols.parse(wire.protocol, `${path}.protocol`),
    isHttp2: wire.http2,
    app: parseApp(wire, path),
    mode: modes.parse(wire.mode, `${path}.mode`),
  };
}

function parseApp({ appHost, appPort, appPath }: WireInbound, path: string): AppAddress {
  if (appPath === "") {
    const host = parseIp(appHost, `${path}.app_host`);
    return { kind: "ip", host, port: parsePort(appPort, `${path}.app_port`) };
  }
  assertPolicy(appHost === "" && appPort === 0, `${path}.app_path`, "a path or an address");
  return { kind: "unix", path: parseText(appPath, unixPathLengthMax, `${path}.app_path`) };
}
