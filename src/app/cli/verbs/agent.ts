/** `portcullis agent` */

import { resolve } from "node:path";
import { SpiffeId, TrustDomain } from "../../../core/spiffe/id.ts";
import { createLogger } from "../../../edge/telemetry/logger.ts";
import { runAgent } from "../../agent/agent.ts";
import type { CredentialSource } from "../../agent/credential.ts";
import { runNodeAgent } from "../../agent/node-agent.ts";
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
    "workload and of the trust domain).\n\n" +
    "With --node it serves all Envoys of a node: each of their streams brings the service-account " +
    "token of its workload, and gets that workload's certificate once the server has believed the " +
    "token. The server must list the node agent (portcullis server --node-agent).",
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
      help: "PEM roots to verify the server with until there is a trust bundle; and after a change",
      required: true,
    },
    "token-file": {
      type: "string",
      valueName: "FILE",
      help: "service-account token, the agent's own; read again at each request",
    },
    "join-token-file": {
      type: "string",
      valueName: "FILE",
      help: "a token for the first certificate, which then renews itself",
    },
    "x5c-cert": {
      type: "string",
      valueName: "FILE",
      help: "PEM chain of this machine in another PKI",
    },
    "x5c-key": { type: "string", valueName: "FILE", help: "PEM key of --x5c-cert" },
    "x5c-audience": {
      type: "string",
      valueName: "AUDIENCE",
      help: "what the server's entry of that PKI expects",
      default: "portcullis",
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
    node: {
      type: "boolean",
      help: "serve all Envoys of a node, each by the token that it brings",
    },
    "node-identity": {
      type: "string",
      valueName: "SPIFFE_ID",
      help: "with --node: the agent's own identity, as the server lists it",
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
    goodbye: {
      type: "boolean",
      help: "the workload ends with the agent: at SIGTERM destroy its keys, and tell the server",
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
    {
      what: "Once on each node, for every Envoy that can reach the socket",
      command:
        "portcullis agent --node --node-identity spiffe://cluster.local/ns/mesh/sa/node-agent \\\n" +
        "  --server ca.mesh.svc:15012 --server-root root-cert.pem --token-file token \\\n" +
        "  --state-dir /var/lib/portcullis --sds-socket /run/portcullis/sds.sock --sds-socket-mode 666",
    },
  ],
  async run({ nowMs, signal }, flags) {
    const options = {
      server: parseServerAddress(flags.server),
      serverRootFile: resolve(flags["server-root"]),
      credential: parseCredential(flags),
      stateDir: resolve(flags["state-dir"]),
      sdsSocket: resolve(flags["sds-socket"]),
      sdsSocketMode: parseMode(flags["sds-socket-mode"]),
      ttlSeconds: flags.ttl ?? 0,
      goodbye: flags.goodbye,
      version: packageVersion(),
      log: createLogger("agent", flags["log-level"]),
      nowMs,
      random: Math.random,
    };
    const name = flags["trust-domain"];
    const trustDomain = name === undefined ? undefined : TrustDomain.parse(name);
    const nodeIdentity = parseNodeIdentity(flags.node, flags["node-identity"], trustDomain);
    if (nodeIdentity === undefined) await runAgent({ ...options, trustDomain }, signal);
    else await runNodeAgent({ ...options, nodeIdentity }, signal);
    return ExitCode.ok;
  },
});

/** Exactly one of the three. */
function parseCredential(
  flags: {
    readonly [name in "token-file" | "join-token-file" | "x5c-cert" | "x5c-key"]:
      | string
      | undefined;
  } & { readonly "x5c-audience": string },
): CredentialSource {
  const { "token-file": token, "join-token-file": join, "x5c-cert": certificate } = flags;
  const key = flags["x5c-key"];
  const given = [token, join, certificate ?? key].filter((each) => each !== undefined);
  if (given.length === 1) {
    if (token !== undefined) return { kind: "token", file: resolve(token) };
    if (join !== undefined) return { kind: "join-token", file: resolve(join) };
    if (certificate !== undefined && key !== undefined) {
      const [certificateFile, keyFile] = [resolve(certificate), resolve(key)];
      return { kind: "x5c", certificateFile, keyFile, audience: flags["x5c-audience"] };
    }
  }
  const forms = "--token-file, --join-token-file, or --x5c-cert and --x5c-key";
  throw new UsageError("usage-missing-flag", `expected one of ${forms}`, {
    hint: "portcullis help agent",
  });
}

/** Undefined for a sidecar's agent. */
function parseNodeIdentity(
  isNode: boolean,
  text: string | undefined,
  trustDomain: TrustDomain | undefined,
): SpiffeId | undefined {
  if (!isNode && text === undefined) return undefined;
  if (!isNode || text === undefined) {
    const missing = isNode ? "--node-identity" : "--node";
    throw new UsageError(
      "usage-missing-flag",
      `expected --node and --node-identity, got no ${missing}`,
    );
  }
  const id = SpiffeId.parse(text);
  if (trustDomain === undefined || id.trustDomain.equals(trustDomain)) return id;
  throw new UsageError(
    "usage-invalid-value",
    `--node-identity: expected an identity of ${trustDomain.name}, got ${id.toString()}`,
  );
}

function parseMode(text: string): number {
  if (/^0?[0-7]{3}$/.test(text)) return Number.parseInt(text, 8);
  throw new UsageError(
    "usage-invalid-value",
    `--sds-socket-mode: expected an octal mode such as 0660, got ${JSON.stringify(text)}`,
  );
}
