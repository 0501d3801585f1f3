/** A server's start as far as its root: in this process or, to be killed, in one of its own. */

import { loadTrust, type Trust } from "../../src/app/server/trust.ts";
import { resolveServerConfig, settingsFromFlags } from "../../src/edge/config/server-config.ts";
import { Store } from "../../src/edge/store/store.ts";

export async function firstStart(dataDir: string, trustDomain: string): Promise<Trust> {
  const settings = settingsFromFlags({
    "data-dir": dataDir,
    "trust-domain": trustDomain,
    "token-issuer": "https://kubernetes.default.svc",
    jwks: "/nowhere",
  });
  using store = await Store.open(dataDir, "server");
  return await loadTrust(store, resolveServerConfig([settings]), Date.now());
}

const [, , dataDir = "", trustDomain = ""] = process.argv;
if (import.meta.main) await firstStart(dataDir, trustDomain);
