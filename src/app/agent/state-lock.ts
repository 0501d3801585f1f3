/**
 * One agent for each state directory: two would renew over each other, and speak under one name. A Unix socket is the
 * lock, because the kernel gives it up with the process.
 */

import { join } from "node:path";
import { createLocalServer } from "../../edge/rpc/grpc-server.ts";
import { listenOnUnixSocket } from "../../edge/rpc/unix-listener.ts";

/** @throws UnixSocketError `socket-path-taken` */
export async function lockStateDir(stateDir: string): Promise<Disposable> {
  return await listenOnUnixSocket(createLocalServer(), join(stateDir, "agent.lock"), 0o600);
}
