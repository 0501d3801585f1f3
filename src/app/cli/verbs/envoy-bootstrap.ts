/** `portcullis envoy bootstrap` */

import { resolve } from "node:path";
import { adsBootstrap } from "../../../core/envoy/ads-bootstrap.ts";
import { envoyArguments, envoyBootstrap } from "../../../core/envoy/bootstrap.ts";
import { ListenError, parseInbound, parseOutbound } from "../../../core/envoy/listen.ts";
import type { SdsCredential } from "../../../core/envoy/tls-context.ts";
import { SpiffeIdError, TrustDomain } from "../../../core/spiffe/id.ts";
import { readBoundedFile } from "../../../edge/config/private-files.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { UsageError } from "../usage-error.ts";

export const envoyBootstrapVerb: Command = defineCommand({
  description:
    "Prints a bootstrap for an Envoy that gets everything from an agent's socket: its listeners and clusters, " +
    "as the mesh's policies have them, and its certificates. With --inbound or --outbound only the certificates " +
    "come from there: inbound listeners take mTLS from any workload of the trust domain and hand plaintext to the " +
    "application; outbound ones take plaintext and go over mTLS to a server that must prove its " +
    "SPIFFE ID.\n\n" +
    "TLS sessions are never resumed, and the application sees no connection before the handshake " +
    "has ended.",
  flags: {
    "sds-socket": {
      type: "string",
      valueName: "PATH",
      help: "the agent's socket",
      required: true,
    },
    "sds-token-file": {
      type: "string",
      valueName: "FILE",
      help: "at a node agent: the workload's service-account token, which each SDS stream brings along",
    },
    "sds-grpc": {
      type: "string",
      valueName: "CLIENT",
      help:
        "which of Envoy's gRPC clients: google reads FILE anew for each stream; envoy has the token " +
        "in the bootstrap, and never another one",
      choices: ["google", "envoy"],
      default: "google",
    },
    "admin-socket": {
      type: "string",
      valueName: "PATH",
      help: "where Envoy makes its admin socket, mode 0600",
      required: true,
    },
    "node-id": {
      type: "string",
      valueName: "ID",
      help: "names the proxy in evidence",
      required: true,
    },
    "node-cluster": { type: "string", valueName: "NAME", help: "its service", default: "mesh" },
    "trust-domain": {
      type: "string",
      valueName: "NAME",
      help: "with --inbound: whose workloads may connect",
      default: "cluster.local",
    },
    label: {
      type: "string",
      valueName: "KEY=VALUE",
      help: "selects policies, where no WorkloadEntry of the node id's name has labels",
      multiple: true,
    },
    xds: {
      type: "string",
      valueName: "VARIANT",
      help: "how Envoy is told of changes: delta sends what has changed, sotw all of a type",
      choices: ["delta", "sotw"],
      default: "delta",
    },
    inbound: {
      type: "string",
      valueName: "LISTEN=APP",
      help: "an mTLS listener, as HOST:PORT=HOST:PORT",
      multiple: true,
    },
    outbound: {
      type: "string",
      valueName: "LISTEN=SERVER@ID",
      help: "a plaintext listener, as HOST:PORT=HOST:PORT@SPIFFE_ID",
      multiple: true,
    },
    output: {
      type: "string",
      short: "o",
      valueName: "FORMAT",
      help: "output format; Envoy reads both",
      choices: ["yaml", "json"],
      default: "yaml",
    },
    command: {
      type: "string",
      valueName: "FILE",
      help: "print the arguments to start Envoy with, for a bootstrap in FILE",
    },
  },
  examples: [
    {
      what: "A proxy that is told all by its agent",
      command:
        "portcullis envoy bootstrap --sds-socket /tmp/sds.sock --admin-socket /tmp/envoy.sock \\\n" +
        "  --node-id web-0 --label app=web > web.yaml",
    },
    {
      what: "A server on 8443, its application on 8080",
      command:
        "portcullis envoy bootstrap --sds-socket /tmp/sds.sock --admin-socket /tmp/envoy.sock \\\n" +
        "  --node-id web-0 --inbound 0.0.0.0:8443=127.0.0.1:8080 > web.yaml",
    },
    {
      what: "The same at a node agent",
      command:
        "portcullis envoy bootstrap --sds-socket /run/portcullis/sds.sock \\\n" +
        "  --sds-token-file /var/run/secrets/tokens/istio-token --admin-socket /tmp/envoy.sock \\\n" +
        "  --node-id web-0 --inbound 0.0.0.0:8443=127.0.0.1:8080 > web.yaml",
    },
    {
      what: "Start it",
      command:
        "envoy $(portcullis envoy bootstrap --sds-socket /tmp/sds.sock \\\n" +
        "  --admin-socket /tmp/envoy.sock --node-id web-0 --inbound 0.0.0.0:8443=127.0.0.1:8080 \\\n" +
        "  --command web.yaml)",
    },
  ],
  async run({ stdout }, flags) {
    const frame = {
      nodeId: flags["node-id"],
      nodeCluster: flags["node-cluster"],
      sdsSocketPath: resolve(flags["sds-socket"]),
      sdsCredential: await sdsCredential(flags["sds-token-file"], flags["sds-grpc"]),
      adminSocketPath: resolve(flags["admin-socket"]),
    };
    const inbound = (flags.inbound ?? []).map((text) => ofFlag("--inbound", text, parseInbound));
    const outbound = (flags.outbound ?? []).map((text) =>
      ofFlag("--outbound", text, parseOutbound),
    );
    const trustDomain = TrustDomain.parse(flags["trust-domain"]);
    const labels = parseLabels(flags.label ?? []);
    const isStatic = inbound.length + outbound.length > 0;
    if (isStatic && labels.size > 0) throw labelsWithoutAds;
    const bootstrap = isStatic
      ? envoyBootstrap({ ...frame, trustDomain, inbound, outbound })
      : adsBootstrap({ ...frame, labels, variant: flags.xds });
    if (flags.command !== undefined) {
      stdout.write(`${envoyArguments(flags.command).join(" ")}\n`);
    } else if (flags.output === "json") {
      stdout.write(`${JSON.stringify(bootstrap, undefined, 2)}\n`);
    } else {
      const { formatYaml } = await import("../../../edge/config/yaml.ts");
      stdout.write(formatYaml(bootstrap));
    }
    return ExitCode.ok;
  },
});

const labelsWithoutAds = new UsageError(
  "usage-invalid-value",
  "--label: expected no --inbound and no --outbound beside it",
  { hint: "where the listeners are in the bootstrap, no policy looks at labels" },
);

function parseLabels(texts: readonly string[]): Map<string, string> {
  const labels = texts.map((text): [string, string] => {
    const [, key, value] = /^([^=]{1,317})=([^=]{0,63})$/.exec(text) ?? [];
    if (key !== undefined && value !== undefined) return [key, value];
    throw new UsageError("usage-invalid-value", `--label: expected KEY=VALUE, got "${text}"`);
  });
  return new Map(labels);
}

function ofFlag<T>(flag: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof ListenError || cause instanceof SpiffeIdError)) throw cause;
    throw new UsageError("usage-invalid-value", `${flag}: ${cause.message}`, {
      cause,
      ...(cause.hint !== undefined && { hint: cause.hint }),
    });
  }
}

const tokenBytesMax = 65_536;

async function sdsCredential(
  file: string | undefined,
  client: "google" | "envoy",
): Promise<SdsCredential> {
  if (file === undefined) return { kind: "none" };
  const path = resolve(file);
  if (client === "envoy") {
    const token = Buffer.from(await readBoundedFile(path, tokenBytesMax))
      .toString()
      .trim();
    return { kind: "token", token };
  }
  await assertNoLineEnd(path);
  return { kind: "token-file", path };
}

/** Google's client sends the file as it is, and fails on a line's end before the agent sees anything. */
async function assertNoLineEnd(path: string): Promise<void> {
  const bytes = await readBoundedFile(path, tokenBytesMax).catch(() => undefined);
  // On the machine of the proxy it may be there.
  if (bytes === undefined || !/\s/.test(Buffer.from(bytes).toString())) return;
  throw new UsageError(
    "usage-invalid-value",
    `${path}: expected a token and nothing else, not even a line's end`,
    {
      hint: `printf %s "$(cat '${path}')" > '${path}.new' && mv '${path}.new' '${path}'`,
    },
  );
}
