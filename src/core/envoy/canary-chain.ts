/**
 * The chain with which an agent proves, by a handshake, that its Envoy takes certificates of an authority that is to sign next. It
 * stands on each inbound listener in every mode, knows one identity that no workload has, and never reaches an application. Its
 * server name decides before ALPN does, so a call of the mesh, which has its own name, does not come here, and this one nowhere else.
 */

import { canaryId } from "../identity/canary-id.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { FilterChainSchema } from "../../gen/envoy/config/listener/v3/listener_pb.ts";
import { SubjectAltNameMatcher_SanType as SanType } from "../../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import type { TrustDomain } from "../spiffe/id.ts";
import { chainStatPrefix } from "./chain-stats.ts";
import { seconds } from "./extension.ts";
import { answeringManager } from "./http-manager.ts";
import { exactMatcher, meshServerSocket } from "./mesh-tls.ts";

export const canaryServerName = "canary.portcullis";

const name = "canary";

export function canaryChain(
  port: number,
  trustDomain: TrustDomain,
): MessageInitShape<typeof FilterChainSchema> {
  const identity = canaryId(trustDomain).toString();
  return {
    name,
    filterChainMatch: { transportProtocol: "tls", serverNames: [canaryServerName] },
    filters: [answeringManager(chainStatPrefix(port, name), 200)],
    transportSocket: meshServerSocket(exactMatcher(SanType.URI, identity)),
    transportSocketConnectTimeout: seconds(10),
  };
}
