/**
 * The sets of a node's workloads on disk, each under the digest of the token that it was issued on: after a restart,
 * whoever brings that token again gets his set back, the server there or not. The tokens themselves are not kept.
 */

import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  ensurePrivateDir,
  readPrivateFile,
  writeFileAtomic,
} from "../../edge/config/private-files.ts";
import { removeRemains } from "../../edge/config/remains.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import { removeForGood } from "./remove-file.ts";
import {
  encodeReceived,
  parseReceived,
  StateFileError,
  type ReceivedCertificate,
  type StoredCertificate,
} from "./workload-set.ts";

export interface VerifiedCertificate extends ReceivedCertificate {
  /** As the server said when it verified the token. */
  readonly tokenExpiresAtMs: number;
}

interface StoredWorkload extends StoredCertificate {
  readonly version: 1;
  readonly tokenExpiresAtMs: number;
}

const fileBytesMax = 262_144;
const filesMax = 4_096;
const filePattern = /^([0-9a-f]{64})\.json$/;

export class WorkloadStore {
  readonly #directory: string;
  readonly #events: AgentEvents;
  /** The end of each file's queue of changes. */
  readonly #changes = new Map<string, Promise<void>>();

  #isDestroyed = false;

  private constructor(directory: string, events: AgentEvents) {
    this.#directory = directory;
    this.#events = events;
  }

  /** @throws PrivateFileError */
  static async open(stateDir: string, events: AgentEvents): Promise<WorkloadStore> {
    const directory = join(stateDir, "workloads");
    await ensurePrivateDir(directory);
    await removeRemains(directory);
    return new WorkloadStore(directory, events);
  }

  /** By digest, what is still good; all else is removed. */
  async load(nowMs: number): Promise<Map<string, VerifiedCertificate>> {
    const loaded = new Map<string, VerifiedCertificate>();
    for (const name of await readdir(this.#directory)) {
      const digest = filePattern.exec(name)?.[1];
      if (digest === undefined) continue;
      const stored = await this.#read(name);
      if (isGood(stored, nowMs) && loaded.size < filesMax) loaded.set(digest, stored);
      else await rm(join(this.#directory, name), { force: true });
    }
    return loaded;
  }

  /** A disk that is full or gone is reported, and takes no certificate away. */
  async write(digest: string, verified: VerifiedCertificate): Promise<void> {
    const { tokenExpiresAtMs } = verified;
    const document: StoredWorkload = { version: 1, tokenExpiresAtMs, ...encodeReceived(verified) };
    const bytes = Buffer.from(JSON.stringify(document));
    await this.#change(digest, async () => writeFileAtomic(this.#path(digest), bytes, 0o600));
  }

  async remove(digest: string): Promise<void> {
    await this.#change(digest, async () => rm(this.#path(digest), { force: true }));
  }

  /** All keys are gone from the disk when it resolves, and none is written any more. @throws what the file system says */
  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    await this.settled();
    const names = await readdir(this.#directory);
    await Promise.all(names.map(async (name) => removeForGood(join(this.#directory, name))));
  }

  /** Resolves when all that was begun is on disk. */
  async settled(): Promise<void> {
    await Promise.all(this.#changes.values());
  }

  async #change(digest: string, change: () => Promise<void>): Promise<void> {
    const before = this.#changes.get(digest) ?? Promise.resolve();
    const changed = before
      .then(async () => (this.#isDestroyed ? undefined : change()))
      .catch((error: unknown) => this.#events.stateNotWritten(error))
      .finally(() => {
        if (this.#changes.get(digest) === changed) this.#changes.delete(digest);
      });
    this.#changes.set(digest, changed);
    await changed;
  }

  async #read(name: string): Promise<VerifiedCertificate | undefined> {
    const path = join(this.#directory, name);
    try {
      const bytes = await readPrivateFile(path, fileBytesMax);
      return parseStored(JSON.parse(Buffer.from(bytes).toString()));
    } catch (cause) {
      const message = `${path} is no state of a workload`;
      this.#events.stateUnreadable(new StateFileError("state-file-malformed", message, { cause }));
      return undefined;
    }
  }

  #path(digest: string): string {
    return join(this.#directory, `${digest}.json`);
  }
}

/** @throws what its parts throw */
function parseStored(document: unknown): VerifiedCertificate {
  const stored = document as StoredWorkload;
  const { version, tokenExpiresAtMs } = stored;
  if (version !== 1) throw new TypeError(`expected version 1, got ${String(version)}`);
  if (!Number.isFinite(tokenExpiresAtMs)) throw new TypeError("expected the token's expiry");
  return { ...parseReceived(stored), tokenExpiresAtMs };
}

function isGood(
  stored: VerifiedCertificate | undefined,
  nowMs: number,
): stored is VerifiedCertificate {
  if (stored === undefined) return false;
  return nowMs < stored.tokenExpiresAtMs && nowMs < stored.certificate.notAfterMs;
}
