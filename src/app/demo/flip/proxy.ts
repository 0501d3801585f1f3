/** A workload's Envoy: nothing is in its bootstrap but where its agent is. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { adsBootstrap } from "../../../core/envoy/ads-bootstrap.ts";
import { startEnvoy } from "../../../edge/envoy/process.ts";
import { killAtExit } from "../program.ts";

export interface ProxyOptions {
  /** Its node id. */
  readonly name: string;
  readonly envoyBinary: string;
  /** Is made. */
  readonly directory: string;
  readonly sdsSocketPath: string;
  readonly token: string;
}

/** Resolves when it has all of its listeners. */
export async function startProxy(
  { name, envoyBinary: binary, directory, sdsSocketPath, token }: ProxyOptions,
  signal: AbortSignal,
): Promise<AsyncDisposable> {
  await mkdir(directory, { mode: 0o700 });
  const adminSocketPath = join(directory, "admin.sock");
  const bootstrap = adsBootstrap({
    nodeId: name,
    nodeCluster: "demo",
    sdsSocketPath,
    sdsCredential: { kind: "token", token },
    adminSocketPath,
    variant: "delta",
    labels: new Map(),
  });
  await using owned = new AsyncDisposableStack();
  const envoy = await startEnvoy({ binary, bootstrap, adminSocketPath, directory });
  owned.use(killAtExit(envoy.pid ?? 0));
  owned.use(envoy);
  await envoy.waitUntilLive(signal);
  return owned.move();
}
