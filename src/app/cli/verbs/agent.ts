/** `portcullis agent` */

import { resolve } from "node:path";
import { TrustDomain } from "../../../core/spiffe/id.ts";
import { createLogger } from "../../../edge/telemetry/logger.ts";
import { runAgent } from "../../agent/agent.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { parseServerAddress } from "../server-address.ts";
import { UsageError } from "../usage-error.ts";
import { packageVersion } from "../version-info.ts";

export const agent: Command = defineCommand({
  description:
    "Keeps one workload certified and serves its Envoys over SDS. It makes the keys, which never " +
    "leave its state directory; starts from there when the server is away; and tells the server " +
    "what each Envoy accepted.\n\n" +
    "Secrets go by the names of Istio (default, ROOTCA) and of SPIRE (the SPIFFE IDs of the " +
    "workload and of the trust domain).",
  flags: {
    server: {
      type: "string",
      valueName: "HOST:PORT",
      help: "the control plane",
      required: true,
    },
    "server-root": {
      type: "string",
      valueName: "FILE",
      help: "PEM roots to verify the server with; read again at each connection",
      required: true,
    },
    "token-file": {
      type: "string",
      valueName: "FILE",
      help: "service-account token; read again at each request",
      required: true,
    },
    "state-dir": {
      type: "string",
      valueName: "DIR",
      help: "where certificate and key are kept, mode 0700",
      required: true,
    },
    "sds-socket": {
      type: "string",
      valueName: "PATH",
      help: "where Envoy finds its secrets (SDS); a Unix socket",
      required: true,
    },
    "sds-socket-mode": {
      type: "string",
      valueName: "MODE",
      help: "file mode of the socket: who may connect gets the workload's key",
      default: "0660",
    },
    "trust-domain": {
      type: "string",
      valueName: "NAME",
      help: "refuse certificates of another trust domain",
    },
    ttl: {
      type: "duration",
      valueName: "DURATION",
      help: "life of a certificate (default the server's)",
    },
    "log-level": {
      type: "string",
      valueName: "LEVEL",
      help: "least severe message that is logged",
      choices: ["debug", "info", "warn", "error"],
      default: "info",
    },
  },
  examples: [
    {
      what: "Beside an Envoy, with dev as the control plane",
      command:
        "portcullis agent --server 127.0.0.1:15012 --server-root /tmp/portcullis-dev-0/root-cert.pem \\\n" +
        "  --token-file token --state-dir state --sds-socket /tmp/sds.sock",
    },
  ],
  async run({ nowMs, signal }, flags) {
    const trustDomain = flags["trust-domain"];
    await runAgent(
      {
        server: parseServerAddress(flags.server),
        serverRootFile: resolve(flags["server-root"]),
        tokenFile: resolve(flags["token-file"]),
        stateDir: resolve(flags["state-dir"]),
        sdsSocket: resolve(flags["sds-socket"]),
        sdsSocketMode: parseMode(flags["sds-socket-mode"]),
        trustDomain: trustDomain === undefined ? undefined : TrustDomain.parse(trustDomain),
        ttlSeconds: flags.ttl ?? 0,
        version: packageVersion(),
        log: createLogger("agent", flags["log-level"]),
        nowMs,
        random: Math.random,
      },
      signal,
    );
    return ExitCode.ok;
  },
});

function parseMode(text: string): number {
  if (/^0?[0-7]{3}$/.test(text)) return Number.parseInt(text, 8);
  throw new UsageError(
    "usage-invalid-value",
    `--sds-socket-mode: expected an octal mode such as 0660, got ${JSON.stringify(text)}`,
  );
}
