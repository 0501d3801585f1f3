/** Runs a control plane until it is told to stop. */

import type { ServerConfig } from "../../edge/config/server-config.ts";
import type { StoreMaker } from "../../edge/store/store.ts";
import { createLogger } from "../../edge/telemetry/logger.ts";
import { bootClock } from "./boot-clock.ts";
import { ControlPlane } from "./control-plane.ts";
import { failureFields } from "./failure-fields.ts";
import { reloadOnChange } from "./reload.ts";

export interface RunServerOptions {
  readonly maker: StoreMaker;
  readonly version: string;
  readonly configFile: string | undefined;
  /** Again at each reload. */
  readonly loadConfig: () => Promise<ServerConfig>;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
  /** Once, when every port is open. */
  readonly onReady: (controlPlane: ControlPlane, config: ServerConfig) => void;
}

/** A drain that is not over by then is cut off: a server that has been overtaken is to be started again soon. */
const drainMaxMs = 30_000;

/**
 * Returns when everything is drained and closed.
 * @throws TrustSecretError, drained and closed, too, where another server has taken the trust of the cluster further
 */
export async function runServer(options: RunServerOptions): Promise<void> {
  const { maker, version, configFile, loadConfig, nowMs, signal } = options;
  const config = await loadConfig();
  const log = createLogger("server", config.logLevel);
  await using controlPlane = await ControlPlane.start({
    config,
    maker,
    version,
    log,
    nowMs,
    monotonicMs: bootClock(),
    signal,
  });
  using _ = reloadOnChange(controlPlane, {
    configFile,
    caDir: config.caDir,
    loadConfig,
    log,
    nowMs,
  });
  options.onReady(controlPlane, config);
  const { overtaken } = controlPlane;
  await aborted(AbortSignal.any([signal, overtaken]));
  if (!overtaken.aborted) return;
  const said = "ends by itself: started again, it takes over what is there";
  log.error({ event: "overtaken", ...failureFields(overtaken.reason) }, said);
  setTimeout(() => process.exit(1), drainMaxMs).unref();
  throw overtaken.reason;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}
