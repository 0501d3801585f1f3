/**
 * Addresses to listen on: `HOST:PORT`, with an IPv6 host in brackets. Port 0 asks the system for a
 * free one.
 */

import { BlockList, isIPv4, isIPv6 } from "node:net";

export interface ListenAddress {
  /** IPv4 address, IPv6 address without brackets, or host name. */
  readonly host: string;
  readonly port: number;
}

/** The address, or undefined when `text` is not one. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[(?<ipv6>[^[\]]+)\]|(?<host>[^[\]:]+)):(?<port>0|[1-9][0-9]{0,4})$/.exec(
    text,
  );
  const { ipv6, host = "", port } = match?.groups ?? {};
  if (port === undefined || Number(port) > PORT_MAX) return undefined;
  if (ipv6 === undefined ? !isHost(host) : !isIPv6(ipv6)) return undefined;
  return Object.freeze({ host: ipv6 ?? host, port: Number(port) });
}

export function formatListenAddress({ host, port }: ListenAddress): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether nobody but this machine can connect. Of names only `localhost` counts (RFC 6761 6.3). */
export function isLoopback({ host }: ListenAddress): boolean {
  if (isIPv4(host)) return LOOPBACK.check(host, "ipv4");
  if (isIPv6(host)) return LOOPBACK.check(host, "ipv6");
  return host.toLowerCase() === "localhost";
}

const PORT_MAX = 65_535;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;

/** RFC 1123 2.1. A last label of digits only is a mistyped IPv4 address, not a name. */
function isHost(text: string): boolean {
  if (isIPv4(text)) return true;
  const labels = text.split(".");
  return (
    text.length <= 253 &&
    labels.every((label) => LABEL.test(label)) &&
    !/^[0-9]+$/.test(labels.at(-1) ?? "")
  );
}
