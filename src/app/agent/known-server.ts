/** What the agent verifies its control plane with, and whether that one is still the one that has signed what it holds. */

import type { HeldSet } from "./held-set.ts";
import { isOfRoots, readServerFile, readServerRoots, type ServerRoots } from "./server-roots.ts";
import { decideDialledAnchor, isOrphaned, type ServerFile } from "./server-trust.ts";

export class KnownServer {
  readonly #path: string;
  readonly #held: HeldSet;
  readonly #nowMs: () => number;
  /** Of the file that the newest certificate came under. */
  #askedDigest: string | undefined;

  /** @param path of the operator's file */
  constructor(path: string, held: HeldSet, nowMs: () => number) {
    this.#path = path;
    this.#held = held;
    this.#nowMs = nowMs;
  }

  /** @throws PrivateFileError where the file is needed */
  async roots(): Promise<ServerRoots> {
    return readServerRoots(this.#path, this.#held.set, this.#nowMs());
  }

  /** A certificate came, and the file was this. */
  answered(file: ServerFile | undefined): void {
    this.#askedDigest = file?.digest;
  }

  /** @param root (DER) that the server has just been verified by. @throws what the decision on a set throws */
  async dialled(root: Uint8Array): Promise<void> {
    const file = await readServerFile(this.#path).catch(() => undefined);
    if (file === undefined) return;
    await this.#held.takeAnchor(({ anchor, bundle }) =>
      decideDialledAnchor(anchor, root, bundle.roots, file),
    );
  }

  async isOrphan(): Promise<boolean> {
    const file = await readServerFile(this.#path).catch(() => undefined);
    const { set } = this.#held;
    if (set === undefined || file === undefined) return false;
    return isOrphaned({
      anchor: set.anchor,
      file,
      askedDigest: this.#askedDigest,
      bundle: set.bundle.roots,
      isOfFile: () => isOfRoots(set.certificate, file, this.#nowMs()),
    });
  }
}
