/** A connection that is cut off while both ends are well: one write of it may be under way until it is let go, and arrive after all. */

import { KubeConnection, type KubeRequest } from "../../src/edge/kube/kube-connection.ts";
import { KubeError } from "../../src/edge/kube/kube-error.ts";
import { kubeconfigAccess } from "../../src/edge/kube/kubeconfig-access.ts";
import type { Cluster } from "./cluster.ts";

export interface HeldWrite {
  /** Resolves when it is under way. */
  readonly sent: Promise<void>;
  /** What it is told when it arrives. */
  readonly answer: Promise<unknown>;
  release(): void;
}

export class HeldConnection extends KubeConnection {
  #next: ((request: KubeRequest) => Promise<unknown>) | undefined;
  #isCut = false;

  static async open({ adminKubeconfig }: Cluster): Promise<HeldConnection> {
    return new HeldConnection({ access: await kubeconfigAccess({ path: adminKubeconfig }) });
  }

  /** The next PUT of a Secret. */
  holdSecret(): HeldWrite {
    const sent = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<unknown>();
    answer.promise.catch(() => {});
    this.#next = async (request) => {
      sent.resolve();
      await released.promise;
      answer.resolve(super.send(request));
      return await answer.promise;
    };
    return { sent: sent.promise, answer: answer.promise, release: () => released.resolve() };
  }

  /** But for what is under way. */
  cut(): void {
    this.#isCut = true;
  }

  mend(): void {
    this.#isCut = false;
  }

  override async send(request: KubeRequest): Promise<unknown> {
    const { method, path } = request;
    const next = this.#next;
    if (next !== undefined && method === "PUT" && path.includes("/secrets/")) {
      this.#next = undefined;
      return await next(request);
    }
    if (this.#isCut) throw new KubeError("kube-unreachable", `${method} ${path}: cut off`);
    return await super.send(request);
  }
}
