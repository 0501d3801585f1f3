/** Runs a control plane until it is told to stop. */

import type { ServerConfig } from "../../edge/config/server-config.ts";
import type { StoreMaker } from "../../edge/store/store.ts";
import { createLogger } from "../../edge/telemetry/logger.ts";
import { bootClock } from "./boot-clock.ts";
import { ControlPlane } from "./control-plane.ts";
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

/** Returns when everything is drained and closed. */
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
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
