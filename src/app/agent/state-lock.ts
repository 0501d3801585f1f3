/**
 * One agent for each state directory: two would renew over each other, and speak under one name. A Unix socket is the
 * lock, because the kernel gives it up with the process.
 */

import { join } from "node:path";
import { removeRemains } from "../../edge/config/remains.ts";
import { createLocalServer } from "../../edge/rpc/grpc-server.ts";
import { listenOnUnixSocket } from "../../edge/rpc/unix-listener.ts";

/** What a life before has left in the middle of a write is removed: it may be a key. @throws UnixSocketError `socket-path-taken` */
export async function lockStateDir(stateDir: string): Promise<Disposable> {
  using owned = new DisposableStack();
  const path = join(stateDir, "agent.lock");
  owned.use(await listenOnUnixSocket(createLocalServer(), path, 0o600));
  await removeRemains(stateDir);
  return owned.move();
}
