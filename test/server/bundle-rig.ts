/** A bundle endpoint on a real trust, and HTTPS as a stranger speaks it. */

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { request, type RequestOptions } from "node:https";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";

import type { CertificateFiles } from "../../src/app/server/bundle-certificate.ts";
import { BundleEndpoint } from "../../src/app/server/bundle-endpoint.ts";
import { issueServingCertificate } from "../support/serving.ts";
import { openTrustParts, type TrustParts } from "./trust-parts.ts";

export interface BundleRig extends AsyncDisposable {
  readonly parts: TrustParts;
  readonly endpoint: BundleEndpoint;
  readonly port: number;
  /** What a change of it is followed by. */
  readonly settings: { refreshHintSeconds: number; names: readonly string[] };
}

/** @param files in the directory of the trust, made for it */
export async function startBundleRig(
  files?: (directory: string) => CertificateFiles,
): Promise<BundleRig> {
  await using owned = new AsyncDisposableStack();
  const parts = owned.use(await openTrustParts());
  const settings = { refreshHintSeconds: 300, names: ["localhost", "127.0.0.1"] };
  const endpoint = owned.use(
    await BundleEndpoint.open({
      listen: { host: "127.0.0.1", port: 0 },
      files: files?.(parts.directory),
      names: () => settings.names,
      refreshHintSeconds: () => settings.refreshHintSeconds,
      trust: parts.trust,
      issue: async (names, uri) =>
        issueServingCertificate(parts.trust.current, names, parts.nowMs(), uri),
      log: parts.log,
      nowMs: parts.nowMs,
    }),
  );
  const rest = owned.move();
  return {
    parts,
    endpoint,
    port: Number(new URL(endpoint.url).port),
    settings,
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** DER of the leaf. */
  readonly certificate: Uint8Array;
}

/** One request on a connection of its own. */
export async function ask(
  url: string,
  options: RequestOptions = {},
  content?: string,
): Promise<Answer> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, { agent: false, ...options }, resolve)
      .on("error", reject)
      .end(content);
  });
  const certificate = (response.socket as TLSSocket).getPeerX509Certificate()?.raw;
  let body = "";
  response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
  await once(response, "end");
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body,
    certificate: certificate ?? new Uint8Array(),
  };
}

/** A certificate that signs itself, for 127.0.0.1 and localhost unless `names` say otherwise. */
export function makeWebCertificate(
  directory: string,
  {
    names = "DNS:localhost,IP:127.0.0.1",
    days = "1",
    passphrase = "",
    name = "web",
  }: Readonly<Partial<Record<"names" | "days" | "passphrase" | "name", string>>> = {},
): CertificateFiles {
  const files = {
    certificate: join(directory, `${name}.pem`),
    key: join(directory, `${name}.key`),
  };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", files.key];
  const protection = passphrase === "" ? ["-nodes"] : ["-passout", `pass:${passphrase}`];
  const fields = ["-subj", "/", "-addext", `subjectAltName=critical,${names}`, "-days", days];
  const out = ["-out", files.certificate];
  execFileSync("openssl", ["req", "-x509", ...key, ...protection, ...fields, ...out], {
    stdio: "pipe",
  });
  return files;
}
