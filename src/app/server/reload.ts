/**
 * Reads the configuration and the operator's CA again on SIGHUP and when their files change; what is wrong with them
 * changes nothing.
 */

import { unwatchFile, watchFile } from "node:fs";
import { join } from "node:path";
import { CA_FILE_BYTES_MAX, CA_KEY_FILES } from "../../core/ca/ca-layout.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import type { Logger } from "../../edge/telemetry/logger.ts";
import type { ControlPlane } from "./control-plane.ts";

export interface ReloadOptions {
  readonly configFile: string | undefined;
  readonly caDir: string | undefined;
  readonly loadConfig: () => Promise<ServerConfig>;
  readonly log: Logger;
}

/** Stat is asked, not a watch kept: a mounted ConfigMap is replaced by its symbolic link. */
const pollIntervalMs = 1_000;
const settleMs = 1_000;
const caFileNames = [...CA_FILE_BYTES_MAX.keys(), ...CA_KEY_FILES];

export function reloadOnChange(controlPlane: ControlPlane, options: ReloadOptions): Disposable {
  const { configFile, caDir } = options;
  let reloading: Promise<void> = Promise.resolve();
  const reload = (): void => {
    reloading = reloading.then(() => reloadOnce(controlPlane, options));
  };
  let settling: NodeJS.Timeout | undefined;
  // Its files change one after the other: what is read in between does not fit together.
  const reloadCa = (): void => {
    clearTimeout(settling);
    settling = setTimeout(() => {
      reloading = reloading.then(() => reloadTrustOnce(controlPlane, options));
    }, settleMs).unref();
  };
  const watched = [
    ...(configFile === undefined ? [] : [[configFile, reload] as const]),
    ...(caDir === undefined
      ? []
      : caFileNames.map((name) => [join(caDir, name), reloadCa] as const)),
  ];
  process.on("SIGHUP", reload);
  for (const [path, listener] of watched) {
    watchFile(path, { interval: pollIntervalMs, persistent: false }, listener);
  }
  return {
    [Symbol.dispose]: () => {
      clearTimeout(settling);
      process.off("SIGHUP", reload);
      for (const [path, listener] of watched) unwatchFile(path, listener);
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
    logRefusal(log, error, "configuration refused: the old one stays");
  }
  await reloadTrustOnce(controlPlane, { log });
}

async function reloadTrustOnce(
  controlPlane: ControlPlane,
  { log }: Pick<ReloadOptions, "log">,
): Promise<void> {
  try {
    if (await controlPlane.reloadTrust()) log.info({ event: "ca-reloaded" }, "CA reloaded");
  } catch (error) {
    logRefusal(log, error, "CA refused: the old one stays");
  }
}

function logRefusal(log: Logger, error: unknown, message: string): void {
  const { code, message: detail, hint } = error as Error & { code?: string; hint?: string };
  log.error({ event: "reload-refused", reason: code, detail, hint }, message);
}
