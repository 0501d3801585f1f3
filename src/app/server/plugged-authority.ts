/** The operator's own CA as the server uses it: its certificates from `--ca-dir`, its key from there or from an HSM. */

import type { CaWarning } from "../../core/ca/ca-warning.ts";
import type { PluggedCa } from "../../core/ca/ca-files.ts";
import type { PluggedAuthority } from "../../core/trust/plugged-trust.ts";
import { signingKeyId } from "../../core/trust/authority-keys.ts";
import { loadKeylessCa, loadPluggedCa } from "../../edge/ca/plugged-ca.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import type { KeySource } from "./signing/signing-protocol.ts";

export interface PluggedIn {
  readonly authority: PluggedAuthority;
  readonly source: KeySource;
  readonly crls: readonly Uint8Array[];
  readonly warnings: readonly CaWarning[];
}

/** @throws CaFilesError, CaKeyError, PrivateFileError */
export async function readPluggedAuthority(
  caDir: string,
  { caKey, keyPassphraseFile }: ServerConfig,
  nowMs: number,
): Promise<PluggedIn> {
  if (caKey !== undefined) {
    return pluggedIn(await loadKeylessCa(caDir, nowMs), { kind: "pkcs11", uri: caKey });
  }
  const options = { passphraseFile: keyPassphraseFile, nowMs };
  const { ca, key } = await loadPluggedCa(caDir, options);
  return pluggedIn(ca, { kind: "software", location: "files", key });
}

function pluggedIn(ca: PluggedCa, source: KeySource): PluggedIn {
  const { crls, warnings } = ca;
  return { authority: pluggedAuthority(ca), source, crls, warnings };
}

/** As the trust state knows it. */
export function pluggedAuthority({ chain, root, roots }: PluggedCa): PluggedAuthority {
  return { id: signingKeyId({ chain, root }), chain, root, roots };
}
