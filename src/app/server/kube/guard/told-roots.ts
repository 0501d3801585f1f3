/** Which roots the API server is told, and since when it is sure to believe them. */

import { rootSha256 } from "../../../../core/spiffe/roots-digest.ts";
import { encodeCertificates } from "../../../../core/x509/pem.ts";
import { KubeError } from "../../../../edge/kube/kube-error.ts";
import type { CaBundleState } from "../../../../edge/kube/webhook-configuration.ts";

/** Compares, and writes where it differs. @throws KubeError */
export type KeepRoots = (pem: string) => Promise<CaBundleState>;

export class ToldRoots {
  readonly #keep: KeepRoots;
  /** By SHA-256 in hex, since when (`performance.now()`); undefined: nobody asks us, so that nobody must believe. */
  #sinceMs: ReadonlyMap<string, number> | undefined = new Map();

  constructor(keep: KeepRoots) {
    this.#keep = keep;
  }

  /** @param roots DER @throws KubeError */
  async tell(roots: readonly Uint8Array[]): Promise<CaBundleState> {
    const state = await this.#again(encodeCertificates(roots));
    const nowMs = performance.now();
    // What was written just now was something else before, whatever we have written.
    const known = state === "current" ? this.#sinceMs : undefined;
    const all = roots.map(rootSha256);
    this.#sinceMs =
      state === "missing"
        ? undefined
        : new Map(all.map((root) => [root, known?.get(root) ?? nowMs]));
    return state;
  }

  /** @param root SHA-256 in hex */
  hasTold(root: string, forMs: number): boolean {
    if (this.#sinceMs === undefined) return true;
    const sinceMs = this.#sinceMs.get(root);
    return sinceMs !== undefined && performance.now() - sinceMs >= forMs;
  }

  /** Somebody else was faster: once more, from what there is now. */
  async #again(pem: string): Promise<CaBundleState> {
    try {
      return await this.#keep(pem);
    } catch (error) {
      if (error instanceof KubeError && error.code === "kube-conflict")
        return await this.#keep(pem);
      throw error;
    }
  }
}
