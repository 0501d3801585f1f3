/** Envoy's `Address`: a socket or a pipe. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AddressSchema } from "../../gen/envoy/config/core/v3/address_pb.ts";

type AddressInit = MessageInitShape<typeof AddressSchema>;

/** @param address an IP address, or a name where Envoy asks DNS */
export function socketAddress(address: string, port: number): AddressInit {
  const portSpecifier = { case: "portValue", value: port } as const;
  return { address: { case: "socketAddress", value: { address, portSpecifier } } };
}

export function listenAddress(bind: string, port: number): AddressInit {
  const portSpecifier = { case: "portValue", value: port } as const;
  // The IPv6 wildcard takes IPv4 callers, too, as servers usually do.
  const ipv4Compat = /^[0:]+$/.test(bind);
  return {
    address: { case: "socketAddress", value: { address: bind, portSpecifier, ipv4Compat } },
  };
}

export function pipeAddress(path: string): AddressInit {
  return { address: { case: "pipe", value: { path } } };
}
