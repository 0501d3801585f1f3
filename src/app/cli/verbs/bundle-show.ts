/** `portcullis bundle show` */

import { encodeBundleDocument, parseBundleDocument } from "../../../core/spiffe/bundle-document.ts";
import { SpiffeId, TrustDomain } from "../../../core/spiffe/id.ts";
import { trustBundle } from "../../../core/spiffe/trust-bundle.ts";
import { parsePem } from "../../../core/x509/pem.ts";
import { readPipedFile } from "../../../edge/config/piped-file.ts";
import { fetchBundle } from "../../../edge/rpc/admin-client.ts";
import {
  fetchBundleDocument,
  parseEndpointUrl,
  type EndpointProfile,
} from "../../../edge/rpc/bundle-client.ts";
import { connectionFlags, resolveAdminAddress } from "../admin-address.ts";
import {
  defineCommand,
  ExitCode,
  type Command,
  type Context,
  type FlagTable,
  type FlagValues,
} from "../command.ts";
import { writeOutput } from "../output.ts";
import { bundlePem, bundleSummary, bundleValue, type ShownBundle } from "../shown-bundle.ts";
import { UsageError } from "../usage-error.ts";

const sourceFlags = {
  ...connectionFlags,
  from: { type: "string", valueName: "URL", help: "another trust domain's bundle endpoint" },
  "trust-domain": {
    type: "string",
    valueName: "NAME",
    help: "whose bundle it is (with --from; the bundle does not say)",
  },
  profile: {
    type: "string",
    valueName: "PROFILE",
    help: "how the endpoint proves itself (with --from)",
    choices: ["https_web", "https_spiffe"],
  },
  "endpoint-id": {
    type: "string",
    valueName: "SPIFFE_ID",
    help: "the endpoint's SPIFFE ID (with https_spiffe)",
  },
  trust: {
    type: "string",
    valueName: "FILE",
    help:
      "bundle document or PEM roots to verify the endpoint with; https_web has the system's " +
      "without it",
  },
} as const satisfies FlagTable;

type SourceFlags = FlagValues<typeof sourceFlags>;

export const bundleShow: Command = defineCommand({
  description:
    "Writes a trust bundle to stdout, and what is in it to stderr: the one of a running server " +
    "or, with --from, what another trust domain's endpoint serves. That is verified as SPIFFE " +
    "Federation wants it, by nothing but what is said here; redirects are not followed.\n\n" +
    "PEM has the X.509 roots only. Exits 3 when the bundle trusts nobody.",
  flags: {
    ...sourceFlags,
    format: {
      type: "string",
      valueName: "FORMAT",
      help: "what is written: roots in PEM, or the SPIFFE bundle document (default pem)",
      choices: ["pem", "spiffe"],
    },
    output: {
      type: "string",
      short: "o",
      valueName: "FORMAT",
      help: "write facts about the bundle instead",
      choices: ["json", "yaml"],
    },
  },
  examples: [
    { what: "Roots for another program", command: "portcullis bundle show > roots.pem" },
    {
      what: "For a trust domain that federates",
      command: "portcullis bundle show --format spiffe",
    },
    {
      what: "What another trust domain serves",
      command:
        "portcullis bundle show --from https://spire.other.example:8443 \\\n" +
        "  --trust-domain other.example --profile https_spiffe \\\n" +
        "  --endpoint-id spiffe://other.example/spire/server --trust other.json",
    },
  ],
  async run(context, flags) {
    const { format, output } = flags;
    if (format !== undefined && output !== undefined) {
      throw new UsageError("usage-invalid-value", "expected --format or --output, got both");
    }
    const bundle =
      flags.from === undefined
        ? await ownBundle(flags, context)
        : await fetchedBundle(flags.from, flags, context);
    if (output !== undefined) {
      await writeOutput(context, output, bundleValue(bundle), () => "");
    } else {
      context.stdout.write(format === "spiffe" ? `${bundle.document}\n` : bundlePem(bundle));
      context.stderr.write(`${bundleSummary(bundle)}\n`);
    }
    return bundle.roots.length + bundle.jwtKeys.length > 0 ? ExitCode.ok : ExitCode.warning;
  },
});

async function ownBundle(flags: SourceFlags, context: Context): Promise<ShownBundle> {
  for (const flag of ["trust-domain", "profile", "endpoint-id", "trust"] as const) {
    if (flags[flag] !== undefined) throw missing("--from URL", `beside --${flag}`);
  }
  const response = await fetchBundle(await resolveAdminAddress(flags, context));
  const bundle = trustBundle(
    TrustDomain.parse(response.trustDomain),
    response.sequence,
    response.roots,
    response.jwtKeys.map(({ keyId, publicKey }) => ({ keyId, spki: publicKey })),
  );
  const refreshHintSeconds = Number(response.refreshHintSeconds);
  return {
    ...bundle,
    trustDomain: bundle.trustDomain.name,
    refreshHintSeconds,
    document: encodeBundleDocument(bundle, refreshHintSeconds),
  };
}

async function fetchedBundle(
  from: string,
  flags: SourceFlags,
  { signal, stderr }: Context,
): Promise<ShownBundle> {
  if (flags.admin !== undefined || flags["data-dir"] !== undefined) {
    throw new UsageError("usage-invalid-value", "expected --from or a server of ours, got both");
  }
  const url = parseEndpointUrl(from);
  const trustDomain = flags["trust-domain"];
  if (trustDomain === undefined) throw missing("--trust-domain NAME", "beside --from");
  const { name } = TrustDomain.parse(trustDomain);
  const profile = await endpointProfile(flags, signal);
  const { document, text } = await fetchBundleDocument(url, profile, signal);
  if (profile.kind === "https_spiffe") {
    // SPIFFE Federation 5.1 lets the two differ; more often somebody has mixed them up.
    const endpoint = profile.endpointId.trustDomain.name;
    if (endpoint !== name) {
      stderr.write(`warning: the endpoint is of ${endpoint}: is its bundle that of ${name}?\n`);
    }
  }
  return { ...document, trustDomain: name, document: withoutControls(text.trim()) };
}

async function endpointProfile(flags: SourceFlags, signal: AbortSignal): Promise<EndpointProfile> {
  const { profile, trust, "endpoint-id": endpointId } = flags;
  switch (profile) {
    case undefined:
      throw missing("--profile https_web or https_spiffe", "beside --from");
    case "https_web":
      if (endpointId !== undefined) throw missing("--profile https_spiffe", "beside --endpoint-id");
      return {
        kind: profile,
        roots: trust === undefined ? undefined : await readRoots(trust, signal),
      };
    case "https_spiffe":
      if (endpointId === undefined) throw missing("--endpoint-id SPIFFE_ID", "with https_spiffe");
      if (trust === undefined) throw missing("--trust FILE", "with https_spiffe");
      return {
        kind: profile,
        endpointId: SpiffeId.parse(endpointId),
        roots: await readRoots(trust, signal),
      };
    default:
      return profile satisfies never;
  }
}

const fileBytesMax = 1_048_576;
const rootsMax = 256;

/** SPIFFE Federation 5.2.2: the document must be taken, and PEM may be. */
async function readRoots(path: string, signal: AbortSignal): Promise<readonly Uint8Array[]> {
  const text = Buffer.from(await readPipedFile(path, fileBytesMax, signal)).toString();
  return text.trimStart().startsWith("{")
    ? parseBundleDocument(text).roots
    : parsePem(text, "CERTIFICATE", { blocksMax: rootsMax });
}

/** In JSON they can only stand in strings, where the escape means the same; a terminal would obey them. */
function withoutControls(json: string): string {
  return json.replaceAll(
    /[\u007f-\u009f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
}

function missing(expected: string, where: string): UsageError {
  return new UsageError("usage-missing-flag", `expected ${expected} ${where}`, {
    hint: "portcullis help bundle show",
  });
}
