/**
 * The two kinds of listeners that `envoy bootstrap` knows, as its flags write them:
 * `--inbound LISTEN=APP` and `--outbound LISTEN=HOST:PORT@SPIFFE_ID`.
 */

import { PortcullisError } from "../error.ts";
import { SpiffeId } from "../spiffe/id.ts";

export type ListenErrorCode = "listener-malformed" | "address-invalid" | "listen-host-not-an-ip";

export class ListenError extends PortcullisError<ListenErrorCode> {
  override name = "ListenError";
}

export interface HostPort {
  readonly kind: "ipv4" | "ipv6" | "name";
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

/** mTLS is terminated on `listen` and the plaintext goes to `app`. */
export interface InboundListener {
  readonly listen: HostPort;
  readonly app: HostPort;
}

/**
 * Plaintext is taken on `listen` and goes over mTLS to `server`, which must prove that it is
 * `serverId`.
 */
export interface OutboundListener {
  readonly listen: HostPort;
  readonly server: HostPort;
  readonly serverId: SpiffeId;
}

/** @throws ListenError */
export function parseInbound(text: string): InboundListener {
  const [, listen, app] = /^([^=]+)=([^=]+)$/.exec(text) ?? [];
  if (listen === undefined || app === undefined) throw malformed("LISTEN=APP", text);
  return { listen: parseListen(listen), app: parseHostPort(app) };
}

/** @throws ListenError, SpiffeIdError */
export function parseOutbound(text: string): OutboundListener {
  const [, listen, server, id] = /^([^=]+)=([^=@]+)@(.+)$/.exec(text) ?? [];
  if (listen === undefined || server === undefined || id === undefined) {
    throw malformed("LISTEN=HOST:PORT@SPIFFE_ID", text);
  }
  return {
    listen: parseListen(listen),
    server: parseHostPort(server),
    serverId: SpiffeId.parse(id),
  };
}

function parseListen(text: string): HostPort {
  const address = parseHostPort(text);
  if (address.kind !== "name") return address;
  throw new ListenError(
    "listen-host-not-an-ip",
    `expected an IP address to listen on, got ${JSON.stringify(address.host)}`,
    { hint: "write 127.0.0.1 or [::1] for this machine only, 0.0.0.0 or [::] for everybody" },
  );
}

function parseHostPort(text: string): HostPort {
  const [, ipv6, other, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const isPort = port >= 1 && port <= 65_535;
  if (isPort && ipv6 !== undefined && isIpv6(ipv6)) return { kind: "ipv6", host: ipv6, port };
  if (isPort && other !== undefined && isIpv4(other)) return { kind: "ipv4", host: other, port };
  if (isPort && other !== undefined && isDnsName(other)) return { kind: "name", host: other, port };
  if (digits !== undefined && !isPort) {
    const message = `expected a port from 1 to 65535, got ${JSON.stringify(text)}`;
    throw new ListenError("address-invalid", message);
  }
  throw new ListenError("address-invalid", `expected HOST:PORT, got ${JSON.stringify(text)}`, {
    hint: "write an IPv6 address in brackets, as in [::1]:8443",
  });
}

function isIpv4(host: string): boolean {
  const octets = host.split(".");
  return octets.length === 4 && octets.every((octet) => /^\d{1,3}$/.test(octet) && +octet <= 255);
}

/** The URL parser knows RFC 4291's notation, and refuses zones. */
function isIpv6(host: string): boolean {
  return /^[0-9a-fA-F:.]+$/.test(host) && URL.canParse(`http://[${host}]/`);
}

/** RFC 1123 2.1; a last label of digits alone would be a misspelt IPv4 address. */
function isDnsName(host: string): boolean {
  const label = /^[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?$/;
  const labels = host.split(".");
  return (
    host.length <= 253 &&
    labels.every((part) => label.test(part)) &&
    !/^\d+$/.test(labels.at(-1) ?? "")
  );
}

function malformed(want: string, text: string): ListenError {
  return new ListenError("listener-malformed", `expected ${want}, got ${JSON.stringify(text)}`);
}
