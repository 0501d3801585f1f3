/** The names in the server's own certificates. */

import type { ServerConfig } from "../../edge/config/server-config.ts";

/** An address to listen on is a name to dial, unless it is all of them. */
export function servingNames({
  listen,
  servingDnsNames,
}: Pick<ServerConfig, "listen" | "servingDnsNames">): string[] {
  const wildcards = ["0.0.0.0", "::"];
  const host = wildcards.includes(listen.host) ? [] : [listen.host];
  return [...new Set([...servingDnsNames, ...host, "127.0.0.1", "::1"])];
}
