/** What happens between this server and its cluster: a log line and a metric each. Label sets are closed. */

import { Counter, type Registry } from "prom-client";
import type { TokenCheck } from "../../core/kube/who/effective-mode.ts";
import type { KubeError } from "../kube/kube-error.ts";
import type { LivenessProblem } from "../kube/liveness-probe.ts";
import { kubeGauges, type KubeGauges } from "./kube-gauges.ts";
import type { Logger } from "./logger.ts";

const reviewResults = ["authenticated", "refused", "unavailable"] as const;
export type ReviewResult = (typeof reviewResults)[number];

/** "unknown": there is nothing to compare yet. */
export type AddressAction = "warn" | "refuse" | "unknown";

export interface OtherAddress {
  /** `NAMESPACE/NAME` */
  readonly pod: string;
  readonly podUid: string;
  readonly podIps: readonly string[];
  readonly peer: string;
}

/** `hasStood`: it stood for long, and is opened again at once. */
export interface FailedWatch {
  readonly error: KubeError;
  readonly retryMs: number;
  readonly hasStood: boolean;
}

const saidMax = 4_096;
const againMs = 3_600_000;

export class KubeEvents {
  readonly #log: Logger;
  /** When it was: what goes on is said again after a while. */
  readonly #saidMs = new Map<string, number>();
  readonly #reviews: Counter<"result"> = counter(
    "portcullis_kube_reviews_total",
    "tokens that the API server was asked about",
    "result",
  );
  readonly #addresses: Counter<"action"> = counter(
    "portcullis_kube_pod_address_mismatches_total",
    "tokens that came from another address than their pod's, or before it was known",
    "action",
  );
  readonly #failures: Counter<"resource"> = counter(
    "portcullis_kube_watch_failures_total",
    "watches that ended with an error, and began again",
    "resource",
  );

  constructor(log: Logger) {
    this.#log = log;
  }

  /** @param read at each scrape */
  register(registry: Registry, read: () => KubeGauges): void {
    registry.registerMetric(this.#reviews);
    // Where one is new, an increase is seen only from 0 on.
    for (const result of reviewResults) this.#reviews.inc({ result }, 0);
    registry.registerMetric(this.#addresses);
    registry.registerMetric(this.#failures);
    for (const each of kubeGauges(read)) registry.registerMetric(each);
  }

  reviewed(result: ReviewResult): void {
    this.#reviews.inc({ result });
  }

  modeIs(mode: TokenCheck, staleMs: number | undefined): void {
    const fields = { event: "token-check", mode, staleMs };
    if (mode === "watched") this.#log.info(fields, "tokens are checked by the watches");
    else this.#log.warn(fields, "the watches are behind: the API server is asked about each token");
  }

  /** Once for each change. */
  livenessIs(problem: LivenessProblem | undefined): void {
    const fields = { event: "kube-liveness", ...problem };
    if (problem === undefined) this.#log.info(fields, "the API server says that it lives");
    else this.#log.warn(fields, "nobody says that watches are current: they fall behind");
  }

  watchFailed(resource: string, { error, retryMs, hasStood }: FailedWatch): void {
    this.#failures.inc({ resource });
    const { code: reason, message: detail, hint } = error;
    const fields = { event: "kube-watch-failed", resource, reason, detail, hint, retryMs };
    if (hasStood) return this.#log.debug(fields, "a watch ended, and is begun again");
    if (!this.#isNews(`watch ${resource} ${reason}`)) return;
    this.#log.warn(fields, "a watch ended: what was known stays");
  }

  watching(resource: string): void {
    for (const key of this.#saidMs.keys()) {
      if (key.startsWith(`watch ${resource} `)) this.#saidMs.delete(key);
    }
  }

  otherAddress(action: AddressAction, pod: OtherAddress): void {
    this.#addresses.inc({ action });
    if (!this.#isNews(`address ${pod.podUid} ${action}`)) return;
    const fields = { event: "pod-address", action, ...pod };
    // Nearly each new pod asks before its kubelet has said its address.
    if (action === "unknown") this.#log.debug(fields, "a pod's address is not known yet");
    else this.#log.warn(fields, "a token came from another address than its pod's");
  }

  #isNews(key: string): boolean {
    const nowMs = performance.now();
    if (nowMs - (this.#saidMs.get(key) ?? Number.NEGATIVE_INFINITY) < againMs) return false;
    // Too many to remember: some are said twice.
    if (this.#saidMs.size >= saidMax) this.#saidMs.clear();
    this.#saidMs.set(key, nowMs);
    return true;
  }
}

function counter<Label extends string>(name: string, help: string, label: Label): Counter<Label> {
  return new Counter({ name, help, labelNames: [label], registers: [] });
}
