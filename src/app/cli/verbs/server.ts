/** `portcullis server` */

import { loadServerConfig, type FlagTexts } from "../../../edge/config/server-config.ts";
import { runServer } from "../../server/run.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { serverFlags } from "../server-flags.ts";
import { packageVersion } from "../version-info.ts";

export const server: Command = defineCommand({
  description:
    "The control plane: a CA that signs SPIFFE certificates for callers with a service-account " +
    "token, and the mesh stream of the agents.\n\n" +
    "It makes its root once, in the data directory, and never replaces one that it cannot read. " +
    "SIGHUP, or a change of the file, reloads the configuration; SIGTERM drains, a second one ends.",
  flags: {
    ...serverFlags(),
    config: {
      type: "string",
      valueName: "FILE",
      help: "YAML file that says the same as the flags; flags go first",
    },
  },
  examples: [
    {
      what: "Beside a cluster whose keys are in a file",
      command:
        "portcullis server --data-dir /var/lib/portcullis --trust-domain prod.example \\\n" +
        "  --token-issuer https://kubernetes.default.svc.cluster.local --jwks /etc/portcullis/jwks.json \\\n" +
        "  --serving-dns-name portcullis.example",
    },
    {
      what: "By a file, and reloaded",
      command: "portcullis server --config /etc/portcullis/server.yaml & kill -HUP $!",
    },
  ],
  async run({ nowMs, signal }, { config: configFile, ...settings }) {
    const flags: FlagTexts = settings;
    await runServer({
      maker: "server",
      version: packageVersion(),
      configFile,
      loadConfig: () => loadServerConfig({ flags, configFile }),
      nowMs,
      signal,
      onReady: () => {},
    });
    return ExitCode.ok;
  },
});
