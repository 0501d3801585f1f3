/** The admin API over TLS, with the server's own certificate: the same handlers as behind the Unix socket, behind another door. */

import type { Caller } from "../../../../core/identity/caller.ts";
import { isHealedByRefresh } from "../../../../edge/authn/token-authenticator.ts";
import { formatListenAddress } from "../../../../edge/config/listen-address.ts";
import { reviewAccess, reviewOperator } from "../../../../edge/kube/access-review.ts";
import type { KubeConnection } from "../../../../edge/kube/kube-connection.ts";
import { admitVerified } from "../../../../edge/rpc/admin-door.ts";
import { createNetworkServer, shutdownGrpc } from "../../../../edge/rpc/grpc-server.ts";
import { addService } from "../../../../edge/rpc/service-definition.ts";
import { StrangerBounds } from "../../../../edge/rpc/stranger-bounds.ts";
import { TlsListener } from "../../../../edge/rpc/tls-listener.ts";
import { AdminService } from "../../../../gen/portcullis/admin/v1/admin_pb.ts";
import { ADMIN_MESSAGE_MAX, adminHandlers, type AdminSocketOptions } from "../../admin-handlers.ts";
import type { Live, Parts } from "../../parts.ts";
import { Operators } from "./operators.ts";

const drainMs = 10_000;
/** A configuration of 4 MiB through an operator's forwarded port. */
const requestTimeoutMs = 30_000;
const connectionsMax = 64;
/** All who come by a forwarded port come from one address, and so do none of the others. */
const perAddressMax = 16;
/** A client that has connected calls at once. */
const provenWithinMs = 15_000;
const handshakeTimeoutMs = 10_000;

export interface AdminListenerOptions extends AdminSocketOptions {
  /** Of the cluster that says who an operator is and what he may do. */
  readonly connection: KubeConnection;
}

/**
 * For operators with a token of the cluster; nothing where it is off.
 * @throws ListenError
 */
export async function openAdminListener(
  parts: Parts,
  options: AdminListenerOptions,
  owned: AsyncDisposableStack,
): Promise<void> {
  const { config, connection, nowMs } = options;
  const { adminListen: listen, adminAudience: audience } = config;
  if (listen === undefined) return;
  const { log, serving, meshEvents } = parts;
  const operators = new Operators({
    audience,
    verify: (token, now) => verifyOperator(parts.live, token, now),
    review: (...asked) => reviewOperator(connection, ...asked),
    mayDo: (...asked) => reviewAccess(connection, ...asked),
    log,
    nowMs,
    monotonicMs: () => performance.now(),
  });
  const strangers = new StrangerBounds({ perAddressMax, provenWithinMs });
  const interceptor = admitVerified(operators, (peer) => strangers.proven(peer));
  const grpc = createNetworkServer({
    requestTimeoutMs,
    endless: [],
    door: { messageMax: ADMIN_MESSAGE_MAX, interceptor },
  });
  addService(grpc, AdminService, adminHandlers(parts, options));
  const listener = new TlsListener(grpc, serving.certificate, {
    handshakeTimeoutMs,
    connectionsMax,
    strangers,
    onRefused: (reason) => meshEvents.connectionRefused(reason),
  });
  serving.attach(listener);
  owned.defer(async () => {
    await Promise.all([listener.drain(drainMs), shutdownGrpc(grpc, drainMs)]);
  });
  const { port } = await listener.listen(listen.host, listen.port);
  const address = formatListenAddress({ host: listen.host, port });
  log.info({ event: "admin-open", address, audience }, "operators are served over the network");
}

/** A key that is not known yet is asked for once. @throws AuthnError */
async function verifyOperator(
  live: Pick<Live, "authentication">,
  token: string,
  nowMs: number,
): Promise<string | undefined> {
  const verify = (): string | undefined => {
    const caller = live.authentication.verifyOperator(token, nowMs);
    return caller && holderOf(caller);
  };
  try {
    return verify();
  } catch (error) {
    if (!isHealedByRefresh(error)) throw error;
    await live.authentication.refreshKeys();
    return verify();
  }
}

/** By UID; whoever's token has none is not known to be anybody's else. */
function holderOf({ id, evidence }: Caller): string {
  const uid = evidence.method === "jwt" ? evidence.serviceAccountUid : undefined;
  return uid ?? id.toString();
}
