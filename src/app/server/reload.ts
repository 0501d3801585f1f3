/** Reads the configuration again on SIGHUP and when its file changes; a configuration that is wrong changes nothing. */

import { unwatchFile, watchFile } from "node:fs";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import type { Logger } from "../../edge/telemetry/logger.ts";
import type { ControlPlane } from "./control-plane.ts";

export interface ReloadOptions {
  readonly configFile: string | undefined;
  readonly loadConfig: () => Promise<ServerConfig>;
  readonly log: Logger;
}

/** Stat is asked, not a watch kept: a mounted ConfigMap is replaced by its symbolic link. */
const pollIntervalMs = 1_000;

export function reloadOnChange(controlPlane: ControlPlane, options: ReloadOptions): Disposable {
  const { configFile } = options;
  let reloading: Promise<void> = Promise.resolve();
  const reload = (): void => {
    reloading = reloading.then(() => reloadOnce(controlPlane, options));
  };
  process.on("SIGHUP", reload);
  if (configFile !== undefined) {
    watchFile(configFile, { interval: pollIntervalMs, persistent: false }, reload);
  }
  return {
    [Symbol.dispose]: () => {
      process.off("SIGHUP", reload);
      if (configFile !== undefined) unwatchFile(configFile, reload);
    },
  };
}

async function reloadOnce(
  controlPlane: ControlPlane,
  { loadConfig, log }: ReloadOptions,
): Promise<void> {
  try {
    const { apply, needRestart } = await controlPlane.reload(await loadConfig());
    log.info({ event: "reloaded", applied: apply, needRestart }, "configuration reloaded");
    if (needRestart.length > 0) {
      log.warn({ event: "restart-needed", needRestart }, "some changes wait for a restart");
    }
  } catch (error) {
    const { code, message, hint } = error as { code?: string; message?: string; hint?: string };
    log.error(
      { event: "reload-refused", reason: code, detail: message, hint },
      "configuration refused: the old one stays",
    );
  }
}
