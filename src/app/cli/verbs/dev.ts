/** `portcullis dev` */

import { DEV_ISSUER } from "../../../edge/authn/dev-issuer.ts";
import { defaultDevDataDir } from "../../../edge/config/paths.ts";
import { ensurePrivateDir } from "../../../edge/config/private-files.ts";
import {
  assertLoopbackOnly,
  loadServerConfig,
  type ServerConfig,
} from "../../../edge/config/server-config.ts";
import { TokenIssuer } from "../../dev/token-issuer.ts";
import { runServer } from "../../server/run.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { serverFlags } from "../server-flags.ts";
import { packageVersion } from "../version-info.ts";

const settingFlags = serverFlags([
  "restore-wait",
  "metrics-listen",
  "trust-domain",
  "default-ttl",
  "max-ttl",
  "root-key-type",
  "serving-dns-name",
  "node-agent",
  "renew-by-certificate",
  "jwt-ttl",
  "resources",
  "ca-dir",
  "ca-key",
  "key-passphrase-file",
  "bundle-listen",
  "log-level",
]);

export const dev: Command = defineCommand({
  description:
    "A control plane to try things with, and a token issuer that lets anybody be anybody. It " +
    "listens on loopback only, and `portcullis server` refuses its data directory and its tokens.\n\n" +
    "Without --data-dir it works in $TMPDIR/portcullis-dev-UID (TMPDIR defaults to /tmp), where the " +
    "other verbs look for it, too.",
  flags: {
    "data-dir": {
      type: "string",
      valueName: "DIR",
      help: "directory of keys and sockets (default as said above)",
    },
    listen: {
      type: "string",
      valueName: "HOST:PORT",
      help: "loopback address of the CA; port 0 picks one",
      default: "127.0.0.1:15012",
    },
    ...settingFlags,
  },
  examples: [
    {
      what: "The first certificate",
      command: "portcullis dev &\nportcullis svid fetch -n default -s web --out web",
    },
    { what: "Leaves that live half a minute", command: "portcullis dev --default-ttl 30s" },
  ],
  async run({ env, nowMs, signal, stdout }, flags) {
    const dataDir = flags["data-dir"] ?? defaultDevDataDir(env);
    await ensurePrivateDir(dataDir);
    const issuer = await TokenIssuer.open(dataDir);
    const presets = {
      "data-dir": dataDir,
      "metrics-listen": "127.0.0.1:0",
      "token-issuer": DEV_ISSUER,
      jwks: issuer.jwksPath,
    };
    await runServer({
      maker: "dev",
      version: packageVersion(),
      configFile: undefined,
      loadConfig: async () => {
        const config = await loadServerConfig({ flags, configFile: undefined, presets });
        assertLoopbackOnly(config);
        return config;
      },
      nowMs,
      signal,
      onReady: ({ endpoints }, config) => stdout.write(welcome(endpoints.ca, config)),
    });
    return ExitCode.ok;
  },
});

function welcome(ca: string, { dataDir, trustDomain }: ServerConfig): string {
  return [
    `portcullis dev serves ${trustDomain.name} at ${ca}; its files are in ${dataDir}`,
    "next:",
    `  portcullis svid fetch -n default -s web --out web --data-dir ${dataDir}`,
    `  portcullis status --data-dir ${dataDir}`,
    "",
  ].join("\n");
}
