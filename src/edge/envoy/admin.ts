/** Envoy's admin interface over its Unix socket, and its answers as values. */

import { request, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { PortcullisError } from "../../core/error.ts";

export interface EnvoyCertificates {
  /**
   * One for each TLS context that has its secrets, so the same certificate may show up several
   * times.
   */
  readonly chain: readonly EnvoyCertificate[];
  readonly roots: readonly EnvoyCertificate[];
}

export interface EnvoyCertificate {
  /** Lower-case hex. */
  readonly serialHex: string;
  readonly uris: readonly string[];
  readonly notAfterMs: number;
}

/** The body of the answer, whatever its status: `/ready` says why it is not ready. */
export async function adminGet(
  socketPath: string,
  path: string,
  signal?: AbortSignal,
): Promise<string> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ socketPath, path, ...(signal && { signal }) }, resolve)
      .on("error", reject)
      .end();
  });
  return text(response);
}

/** The text form, `name: value`; histograms are left out. */
export function parseStats(body: string): ReadonlyMap<string, number> {
  const stats = new Map<string, number>();
  for (const line of body.split("\n")) {
    const [, name, value] = /^(.+): (\d+)$/.exec(line) ?? [];
    if (name !== undefined) stats.set(name, Number(value));
  }
  return stats;
}

export function parseCertificates(body: string): EnvoyCertificates {
  const { certificates }: CertsAnswer = JSON.parse(body);
  if (!Array.isArray(certificates)) {
    throw new PortcullisError("envoy-admin-answer-invalid", "expected certificates from /certs");
  }
  return {
    chain: certificates.flatMap(({ cert_chain }) => (cert_chain ?? []).map(certificate)),
    roots: certificates.flatMap(({ ca_cert }) => (ca_cert ?? []).map(certificate)),
  };
}

/** envoy.admin.v3.Certificates, the fields that are read here. */
interface CertsAnswer {
  readonly certificates?: readonly {
    readonly cert_chain?: readonly CertificateDetails[];
    readonly ca_cert?: readonly CertificateDetails[];
  }[];
}

interface CertificateDetails {
  readonly serial_number: string;
  readonly subject_alt_names?: readonly { readonly uri?: string }[];
  readonly expiration_time: string;
}

function certificate(details: CertificateDetails): EnvoyCertificate {
  return {
    serialHex: details.serial_number.toLowerCase(),
    uris: (details.subject_alt_names ?? []).flatMap(({ uri }) => uri ?? []),
    notAfterMs: Date.parse(details.expiration_time),
  };
}
