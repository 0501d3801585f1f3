/** `portcullis svid fetch` */

import { join, resolve } from "node:path";
import type { SpiffeId } from "../../../core/spiffe/id.ts";
import { createCsr } from "../../../core/x509/csr-create.ts";
import { encodeCertificates, encodePem } from "../../../core/x509/pem.ts";
import { waitForEndpoints } from "../../../edge/config/endpoints.ts";
import { defaultDevDataDir } from "../../../edge/config/paths.ts";
import { readPipedFile } from "../../../edge/config/piped-file.ts";
import { makeDirectory } from "../../../edge/config/make-directory.ts";
import { fileError, readBoundedFile, writeFileAtomic } from "../../../edge/config/private-files.ts";
import { requestCertificate } from "../../../edge/rpc/ca-client.ts";
import { checkReply, type CheckedReply } from "../../agent/certificate-reply.ts";
import { readCertificateFile } from "../certificate-file.ts";
import { defineCommand, ExitCode, type Command, type Context } from "../command.ts";
import { formatRelative } from "../format.ts";
import { parseServerAddress } from "../server-address.ts";
import { UsageError } from "../usage-error.ts";
import { workloadApiFlag } from "../workload-api-flag.ts";
import { fetchWorkloadSvid } from "../workload-svid.ts";

const fileBytesMax = 1_048_576;
const waitMs = 15_000;
const requestTimeoutMs = 10_000;

export const svidFetch: Command = defineCommand({
  description:
    "Gets one certificate and writes it to a directory: svid.pem (the leaf and its intermediates), " +
    "key.pem (mode 0600, made here) and bundle.pem (the roots).\n\n" +
    "With `portcullis dev` it mints its own token, and waits until dev is ready. With --server it " +
    "needs the server's roots and a token that the server believes. With --workload-api it takes the " +
    "certificate and the key of an agent, which renews them: --watch writes each change.",
  flags: {
    namespace: { type: "string", short: "n", valueName: "NS", help: "namespace (with dev)" },
    "service-account": {
      type: "string",
      short: "s",
      valueName: "SA",
      help: "service account (with dev)",
    },
    out: { type: "string", valueName: "DIR", help: "where the files go", required: true },
    ttl: {
      type: "duration",
      valueName: "DURATION",
      help: "life of the certificate (default the server's)",
    },
    "data-dir": {
      type: "string",
      valueName: "DIR",
      help: "dev's data directory (default that of portcullis dev)",
    },
    server: { type: "string", valueName: "HOST:PORT", help: "a control plane that is not dev" },
    "server-root": { type: "string", valueName: "FILE", help: "PEM roots to verify it with" },
    "token-file": { type: "string", valueName: "FILE", help: "token to authenticate with" },
    ...workloadApiFlag,
    watch: {
      type: "boolean",
      help: "with --workload-api: write each change until interrupted",
    },
  },
  examples: [
    { what: "From dev", command: "portcullis svid fetch -n default -s web --out web" },
    {
      what: "From the agent of this workload, again and again",
      command: "portcullis svid fetch --workload-api unix:///run/agent.sock --watch --out web",
    },
    {
      what: "From a server",
      command:
        "portcullis svid fetch --server ca.example:15012 --server-root root-cert.pem \\\n" +
        "  --token-file token --out web",
    },
  ],
  async run(context, flags) {
    const { signal, nowMs, stdout } = context;
    const address = workloadApiAddress(flags, context.env);
    if (address !== undefined) {
      const options = { address, directory: await outDirectory(flags.out), watch: flags.watch };
      await fetchWorkloadSvid(context, options);
      return ExitCode.ok;
    }
    const access =
      flags.server === undefined
        ? await devAccess(context, flags)
        : await serverAccess(context, flags);
    const directory = await outDirectory(flags.out);
    const csr = await createCsr();
    const certChain = await requestCertificate(
      {
        ...access,
        csrPem: csr.csrPem,
        ttlSeconds: flags.ttl ?? 0,
        timeoutMs: requestTimeoutMs,
      },
      signal,
    );
    const reply = checkReply(certChain, csr, undefined, nowMs());
    const { id, notAfterMs } = reply.certificate;
    assertAsked(id, flags.namespace, flags["service-account"]);
    await writeFiles(directory, reply);
    const expiry = formatRelative(notAfterMs, nowMs());
    stdout.write(
      `${id.toString()} (expires ${expiry}) in ${flags.out}: svid.pem key.pem bundle.pem\n`,
    );
    stdout.write(`next: portcullis svid show ${join(flags.out, "svid.pem")}\n`);
    return ExitCode.ok;
  },
});

/** With --server the token decides who it is; what was asked for must be that. */
function assertAsked(id: SpiffeId, namespace = "", serviceAccount = ""): void {
  const [, , gotNamespace, , gotServiceAccount] = id.path.split("/");
  const agrees = (asked: string, got = ""): boolean => asked === "" || asked === got;
  if (agrees(namespace, gotNamespace) && agrees(serviceAccount, gotServiceAccount)) return;
  const reason = `the token is of ${id.toString()}, not of ${namespace}/${serviceAccount}`;
  throw new UsageError("usage-invalid-value", reason, { hint: "nothing was written" });
}

/** The variable counts only where nothing else says whose certificate it is to be. */
function workloadApiAddress(
  flags: { readonly [name: string]: unknown },
  env: Context["env"],
): string | undefined {
  const other = otherSources.find((name) => flags[name] !== undefined);
  const given = flags["workload-api"];
  if (given !== undefined && other !== undefined) {
    throw new UsageError("usage-invalid-value", `--workload-api does not go with --${other}`, {
      hint: "an agent has its one certificate: who, from whom and for how long are its own flags",
    });
  }
  const address = given ?? (other === undefined ? env["SPIFFE_ENDPOINT_SOCKET"] : undefined);
  if (typeof address === "string") return address;
  if (flags["watch"] !== true) return undefined;
  throw new UsageError("usage-missing-flag", "expected --workload-api SOCKET with --watch", {
    hint: "portcullis help svid fetch",
  });
}

const otherSources = [
  "server",
  "server-root",
  "token-file",
  "namespace",
  "service-account",
  "data-dir",
  "ttl",
];

interface Access {
  readonly server: string;
  readonly serverRoots: Uint8Array;
  readonly token: string;
}

async function devAccess(
  { env, nowMs, signal }: Context,
  flags: { readonly [name: string]: unknown },
): Promise<Access> {
  const namespace = required(flags, "namespace", "-n NS");
  const serviceAccount = required(flags, "service-account", "-s SA");
  const given = flags["data-dir"];
  const dataDir = typeof given === "string" ? given : defaultDevDataDir(env);
  const { ca } = await waitForEndpoints(dataDir, { timeoutMs: waitMs, signal });
  const { TokenIssuer } = await import("../../dev/token-issuer.ts");
  const issuer = await TokenIssuer.openExisting(dataDir);
  const token = await issuer.mintToken({
    namespace,
    serviceAccount,
    audiences: ["istio-ca"],
    ttlSeconds: 600,
    nowMs: nowMs(),
  });
  const serverRoots = await readBoundedFile(join(dataDir, "root-cert.pem"), fileBytesMax);
  return { server: ca, serverRoots, token };
}

async function serverAccess(
  { signal }: Context,
  flags: { readonly [name: string]: unknown },
): Promise<Access> {
  const server = parseServerAddress(required(flags, "server", "--server HOST:PORT"));
  const rootFile = required(flags, "server-root", "--server-root FILE");
  const { pem } = await readCertificateFile(rootFile, signal);
  const token = await readToken(required(flags, "token-file", "--token-file FILE"), signal);
  return { server, serverRoots: pem, token };
}

async function readToken(path: string, signal: AbortSignal): Promise<string> {
  const token = Buffer.from(await readPipedFile(path, fileBytesMax, signal))
    .toString()
    .trim();
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new UsageError("usage-invalid-value", `--token-file: expected one token in ${path}`);
}

function required(flags: { readonly [name: string]: unknown }, name: string, form: string): string {
  const value = flags[name];
  if (typeof value === "string" && value !== "") return value;
  throw new UsageError("usage-missing-flag", `expected ${form}, got nothing`, {
    hint: "portcullis help svid fetch",
  });
}

/** Before anything is signed for it. */
async function outDirectory(out: string): Promise<string> {
  const directory = resolve(out);
  try {
    await makeDirectory(directory, 0o700);
    return directory;
  } catch (error) {
    const cause = fileError(directory, error);
    const reason = `cannot make the directory ${cause.message}`;
    throw new UsageError("usage-invalid-value", `--out: ${reason}`, { cause });
  }
}

/** The key first, so that no certificate is ever seen without its key. */
async function writeFiles(directory: string, { certificate, bundle }: CheckedReply): Promise<void> {
  const pem = (ders: readonly Uint8Array[]): Buffer => Buffer.from(encodeCertificates(ders));
  const key = Buffer.from(encodePem(certificate.privateKeyPkcs8, "PRIVATE KEY"));
  await writeFileAtomic(join(directory, "key.pem"), key, 0o600);
  await writeFileAtomic(join(directory, "svid.pem"), pem(certificate.chain), 0o644);
  await writeFileAtomic(join(directory, "bundle.pem"), pem(bundle.roots), 0o644);
}
