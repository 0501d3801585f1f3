/**
 * One reading of the configuration or of the operator's CA: what is wrong with it changes nothing, and is remembered until
 * the next reading is good. Whoever asked by SIGHUP always gets a line; what the server does by itself is said once.
 */

import { activeAuthority } from "../../core/trust/trust-state.ts";
import { parseCertificate } from "../../core/x509/certificate.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import type { Logger } from "../../edge/telemetry/logger.ts";
import type { ControlPlane } from "./control-plane.ts";
import { failureFields } from "./failure-fields.ts";
import { isRetried, type ReloadPart } from "./reload-refusals.ts";
import type { Trust } from "./trust.ts";

export interface Reloadable {
  readonly controlPlane: Pick<ControlPlane, "reload" | "reloadTrust" | "reloads" | "trust">;
  readonly caDir: string | undefined;
  readonly loadConfig: () => Promise<ServerConfig>;
  readonly log: Logger;
  readonly nowMs: () => number;
}

/** Never rejects. @param isAsked whether an operator waits for an answer */
export async function reloadPart(
  reloadable: Reloadable,
  part: ReloadPart,
  isAsked: boolean,
): Promise<void> {
  const { controlPlane, caDir, log, nowMs } = reloadable;
  const { refusals } = controlPlane.reloads;
  try {
    const hasChanged = await (part === "ca" ? reloadCa(reloadable) : reloadConfig(reloadable));
    const wasRefused = refusals.accept(part);
    if (hasChanged || !(isAsked || wasRefused)) return;
    if (part === "configuration") {
      log.info({ event: "configuration-unchanged" }, "the configuration is what runs already");
    } else if (caDir !== undefined) {
      log.info({ event: "ca-unchanged" }, "the CA is what runs already");
    }
  } catch (error) {
    if (!refusals.refuse(part, error, nowMs()) && !isAsked) return;
    const what = part === "ca" ? "CA" : "configuration";
    const fields = { event: "reload-refused", part, ...failureFields(error) };
    const next = isRetried(fields) ? ", and this is tried again" : "";
    log.error(fields, `${what} refused: the old one stays${next}`);
  }
}

async function reloadConfig({ controlPlane, loadConfig, log }: Reloadable): Promise<boolean> {
  const { apply, needRestart } = await controlPlane.reload(await loadConfig());
  if (apply.length > 0) {
    log.info({ event: "reloaded", applied: apply, needRestart }, "configuration reloaded");
  }
  if (needRestart.length > 0) {
    log.warn({ event: "restart-needed", needRestart }, "some changes wait for a restart");
  }
  return apply.length + needRestart.length > 0;
}

async function reloadCa({ controlPlane, log }: Reloadable): Promise<boolean> {
  if (!(await controlPlane.reloadTrust())) return false;
  log.info({ event: "ca-reloaded", ...caFields(controlPlane.trust) }, "CA reloaded");
  return true;
}

/** Which CA was read, by the names that `status` and OpenSSL have for it, and what it is here. */
function caFields({ state, plugged, crls }: Trust) {
  const { id, chain, root } = plugged?.authority ?? activeAuthority(state);
  const { serialHex, notAfterMs } = parseCertificate(chain[0] ?? root);
  const notAfter = new Date(notAfterMs).toISOString();
  const { state: step } = state.authorities.find((each) => each.id === id) ?? {};
  return { authority: id, state: step, serial: serialHex, notAfter, crls: crls.length };
}
