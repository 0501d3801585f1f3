/** The workload's certificate from its agent, as files: once, or again at each change. */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { TAG } from "../../core/x509/der-tag.ts";
import { DerReader } from "../../core/x509/der.ts";
import { parseCertificate } from "../../core/x509/certificate.ts";
import { encodeCertificates, encodePem } from "../../core/x509/pem.ts";
import { writeFileAtomic } from "../../edge/config/private-files.ts";
import { WorkloadApiClient, WorkloadApiError } from "../../edge/rpc/workload-api-client.ts";
import type { X509SVID } from "../../gen/spiffe/workload/workload_pb.ts";
import type { Context } from "./command.ts";
import { formatRelative } from "./format.ts";

export interface WorkloadSvidOptions {
  readonly address: string;
  readonly directory: string;
  /** Goes on until it is interrupted. */
  readonly watch: boolean;
}

const retryMs = 2_000;

/** An agent that restarts, or that has no certificate for a while, ends no watch. @throws WorkloadApiError */
export async function fetchWorkloadSvid(
  context: Context,
  options: WorkloadSvidOptions,
): Promise<void> {
  const { signal, stderr } = context;
  for (let hasFetched = false; !signal.aborted;) {
    try {
      await fetchUntilEnd(context, options, () => (hasFetched = true));
      if (!options.watch) return;
    } catch (error) {
      const isAway = error instanceof WorkloadApiError && error.code === "workload-api-unavailable";
      if (!options.watch || !hasFetched || !isAway) throw error;
      stderr.write(`${error.message}: trying again\n`);
    }
    await sleep(retryMs, undefined, { signal }).catch(() => {});
  }
}

async function fetchUntilEnd(
  { signal, stdout, nowMs }: Context,
  { address, directory, watch }: WorkloadSvidOptions,
  onFetched: () => void,
): Promise<void> {
  using client = new WorkloadApiClient(address);
  for await (const { svids } of client.x509Svids(signal)) {
    const [svid] = svids;
    if (svid === undefined) continue;
    const { notAfterMs } = await writeSvid(directory, svid);
    onFetched();
    const expiry = formatRelative(notAfterMs, nowMs());
    stdout.write(
      `${svid.spiffeId} (expires ${expiry}) in ${directory}: svid.pem key.pem bundle.pem\n`,
    );
    if (!watch) return;
  }
}

/** The key first, so that no certificate is ever seen without its key. */
async function writeSvid(
  directory: string,
  { x509Svid, x509SvidKey, bundle }: X509SVID,
): Promise<{ readonly notAfterMs: number }> {
  const chain = splitDer(x509Svid);
  const [leaf = new Uint8Array()] = chain;
  const privateKey = createPrivateKey({
    key: Buffer.from(x509SvidKey),
    format: "der",
    type: "pkcs8",
  });
  if (!new X509Certificate(leaf).checkPrivateKey(privateKey)) {
    throw new WorkloadApiError("workload-api-failed", "the agent's key is not its certificate's");
  }
  const key = Buffer.from(encodePem(x509SvidKey, "PRIVATE KEY"));
  await writeFileAtomic(join(directory, "key.pem"), key, 0o600);
  const pem = (ders: readonly Uint8Array[]): Buffer => Buffer.from(encodeCertificates(ders));
  await writeFileAtomic(join(directory, "svid.pem"), pem(chain), 0o644);
  await writeFileAtomic(join(directory, "bundle.pem"), pem(splitDer(bundle)), 0o644);
  return parseCertificate(leaf);
}

/** The Workload API writes certificates one after the other. @throws DerError */
function splitDer(bytes: Uint8Array): readonly Uint8Array[] {
  const reader = DerReader.over(bytes);
  const ders: Uint8Array[] = [];
  while (!reader.atEnd) {
    const start = reader.position;
    reader.readContents(TAG.sequence);
    ders.push(reader.since(start));
  }
  return ders;
}
