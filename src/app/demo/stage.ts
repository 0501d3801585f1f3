/** Everything that the demo runs, from start to stop. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseInbound, parseOutbound } from "../../core/envoy/listen.ts";
import { ControlPlane } from "./control-plane.ts";
import type { ProgramHooks } from "./program.ts";
import { freePorts } from "./ports.ts";
import { fetchProbeIdentity, type ProbeIdentity } from "./probe.ts";
import { startApp } from "./traffic.ts";
import { Workload, workloadId, type WorkloadOptions } from "./workload.ts";

export interface StageOptions extends ProgramHooks {
  readonly envoyBinary: string;
  /** Leave the directory behind. */
  readonly keepDirectory: boolean;
  /** In [0, 1). */
  readonly random: () => number;
}

export interface Parts {
  readonly directory: string;
  readonly controlPlane: ControlPlane;
  readonly client: Workload;
  readonly server: Workload;
  /** The client's Envoy takes plaintext here. */
  readonly clientPort: number;
  /** The server's Envoy takes mTLS here. */
  readonly serverPort: number;
  readonly probeIdentity: ProbeIdentity;
}

export class Stage implements AsyncDisposable {
  readonly parts: Parts;
  readonly #owned: AsyncDisposableStack;

  private constructor(parts: Parts, owned: AsyncDisposableStack) {
    this.parts = parts;
    this.#owned = owned;
  }

  /** Resolves when the first request can be sent. */
  static async open(options: StageOptions, signal: AbortSignal): Promise<Stage> {
    await using owned = new AsyncDisposableStack();
    // mkdtemp makes it 0700.
    const directory = await mkdtemp(join(tmpdir(), "portcullis-demo-"));
    if (!options.keepDirectory) {
      owned.defer(() => rm(directory, { recursive: true, force: true }));
    }
    const [port = 0, metricsPort = 0, clientPort = 0, serverPort = 0] = await freePorts(
      4,
      options.random,
    );
    const dataDir = join(directory, "control-plane");
    const controlPlane = await ControlPlane.start(
      { ...options, dataDir, port, metricsPort },
      signal,
    );
    owned.use(controlPlane);
    const app = owned.use(await startApp());
    const ports = { client: clientPort, server: serverPort, app: app.port };
    const workloadOptions = { ...options, controlPlane, directory };
    const [client, server] = await startWorkloads(workloadOptions, ports, owned, signal);
    const probeIdentity = await fetchProbeIdentity(controlPlane, options.nowMs, signal);
    const parts = { directory, controlPlane, client, server, clientPort, serverPort };
    return new Stage({ ...parts, probeIdentity }, owned.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

interface Ports {
  readonly client: number;
  readonly server: number;
  readonly app: number;
}

/** Both at once. What has started is owned, also when the other could not start. */
async function startWorkloads(
  options: StageOptions & Pick<Parts, "controlPlane" | "directory">,
  ports: Ports,
  owned: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<readonly [Workload, Workload]> {
  const { directory } = options;
  const server = `127.0.0.1:${ports.server}`;
  const outbound = `127.0.0.1:${ports.client}=${server}@${workloadId("server").toString()}`;
  const start = async (
    own: Pick<WorkloadOptions, "name" | "inbound" | "outbound" | "tlsScope">,
  ): Promise<Workload> =>
    owned.use(
      await Workload.start({ ...options, ...own, directory: join(directory, own.name) }, signal),
    );
  const starting = [
    start({
      name: "client",
      inbound: [],
      outbound: [parseOutbound(outbound)],
      tlsScope: `cluster.outbound_${ports.client}.ssl`,
    }),
    start({
      name: "server",
      inbound: [parseInbound(`${server}=127.0.0.1:${ports.app}`)],
      outbound: [],
      tlsScope: `listener.inbound_${ports.server}.ssl`,
    }),
  ] as const;
  await Promise.allSettled(starting);
  return Promise.all(starting);
}
