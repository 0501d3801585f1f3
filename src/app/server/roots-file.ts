/**
 * `root-cert.pem`: the trusted roots, for others to copy. One that cannot be written keeps nothing from coming into force: it
 * is said once, and tried again.
 */

import { join } from "node:path";
import { equalBytes } from "../../core/bytes.ts";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import { encodeCertificates } from "../../core/x509/pem.ts";
import { readBoundedFile, writeFileAtomic } from "../../edge/config/private-files.ts";
import { bundleFileName } from "../../edge/store/store.ts";
import type { Logger } from "../../edge/telemetry/logger.ts";
import { failureFields } from "./failure-fields.ts";

/** Not written where it is there already: each write waits for the disk. @throws PrivateFileError, and what the file system says */
export async function writeRoots(dataDir: string, { roots }: TrustBundle): Promise<void> {
  const path = join(dataDir, bundleFileName);
  const bytes = Buffer.from(encodeCertificates(roots));
  const found = await readBoundedFile(path, bytes.length).catch(() => undefined);
  if (found === undefined || !equalBytes(found, bytes)) await writeFileAtomic(path, bytes, 0o644);
}

export class RootsFile {
  readonly #dataDir: string;
  readonly #log: Logger;
  /** Why the newest could not be written; "" where it was. */
  #failure = "";

  constructor(dataDir: string, log: Logger) {
    this.#dataDir = dataDir;
    this.#log = log;
  }

  get isOwed(): boolean {
    return this.#failure !== "";
  }

  /** Never rejects. */
  async write(bundle: TrustBundle): Promise<void> {
    try {
      await writeRoots(this.#dataDir, bundle);
      this.#failure = "";
    } catch (error) {
      const { detail, ...fields } = failureFields(error);
      if (this.#failure !== detail) {
        const failed = { event: "roots-file-failed", detail, ...fields };
        this.#log.error(failed, "root-cert.pem is not what is trusted: tried again");
      }
      this.#failure = detail || "unknown";
    }
  }
}
