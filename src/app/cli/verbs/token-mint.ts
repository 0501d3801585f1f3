/** `portcullis token mint` */

import { defaultDevDataDir } from "../../../edge/config/paths.ts";
import { TokenIssuer } from "../../dev/token-issuer.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";

export const tokenMint: Command = defineCommand({
  description:
    "Prints a token of the shape that Kubernetes mints, signed by `portcullis dev`'s issuer. Only " +
    "that `dev` believes it. The directory's server need not run.\n\n" +
    "A line's end follows on a terminal only: Envoy sends a token file as it is, and Kubernetes writes none.",
  flags: {
    "data-dir": {
      type: "string",
      valueName: "DIR",
      help: "dev's data directory (default that of portcullis dev)",
    },
    namespace: { type: "string", short: "n", valueName: "NS", help: "namespace", required: true },
    "service-account": {
      type: "string",
      short: "s",
      valueName: "SA",
      help: "service account",
      required: true,
    },
    audience: {
      type: "string",
      valueName: "AUDIENCE",
      help: "audience of the token",
      default: "istio-ca",
      multiple: true,
    },
    ttl: { type: "duration", valueName: "DURATION", help: "how long it is good", default: "1h" },
    pod: { type: "string", valueName: "NAME", help: "pod that the token is bound to" },
  },
  examples: [
    {
      what: "A token file for an agent",
      command: "portcullis token mint -n default -s web --pod web-0 > token",
    },
  ],
  async run({ env, isTty, nowMs, stdout }, flags) {
    const issuer = await TokenIssuer.openExisting(flags["data-dir"] ?? defaultDevDataDir(env));
    const token = await issuer.mintToken({
      namespace: flags.namespace,
      serviceAccount: flags["service-account"],
      audiences: flags.audience,
      ttlSeconds: flags.ttl,
      nowMs: nowMs(),
      ...(flags.pod !== undefined && { pod: { name: flags.pod } }),
    });
    stdout.write(isTty ? `${token}\n` : token);
    return ExitCode.ok;
  },
});
