/** A Lease in the cluster: read, made and replaced, always by the version that was judged. */

import type { Lease, SeenLease } from "../../../core/kube/trust/lease.ts";
import { isJsonObject, type JsonObject } from "../../../core/identity/json-object.ts";
import type { KubeConnection } from "../kube-connection.ts";
import { KubeError } from "../kube-error.ts";
import { objectOf, textOf } from "../read/raw-object.ts";

const apiVersion = "coordination.k8s.io/v1";
/** Of one that says none; client-go's default. */
const durationDefaultSeconds = 15;

export type FoundLease = Pick<SeenLease, "lease" | "version">;

export class LeaseObject {
  readonly namespace: string;
  readonly name: string;
  readonly #connection: KubeConnection;
  readonly #deadlineMs: number;

  /** @param deadlineMs of each request */
  constructor(connection: KubeConnection, namespace: string, name: string, deadlineMs: number) {
    this.#connection = connection;
    this.namespace = namespace;
    this.name = name;
    this.#deadlineMs = deadlineMs;
  }

  /** @throws KubeError; the reason of the signal */
  async read(signal?: AbortSignal): Promise<FoundLease> {
    try {
      return foundIn(await this.#send({ path: this.#path(this.name) }, signal));
    } catch (error) {
      const isNone = error instanceof KubeError && error.code === "kube-not-found";
      if (isNone) return { lease: undefined, version: "" };
      throw error;
    }
  }

  /**
   * @param version of what it follows from; "" where there was none
   * @throws KubeError `kube-conflict` where another was faster; the reason of the signal
   */
  async write(lease: Lease, version: string, signal?: AbortSignal): Promise<FoundLease> {
    const { name, namespace } = this;
    const versioned = version === "" ? {} : { resourceVersion: version };
    const metadata = { name, namespace, ...versioned };
    const body = { apiVersion, kind: "Lease", metadata, spec: specOf(lease) };
    const request =
      version === ""
        ? ({ method: "POST", path: this.#path(), body } as const)
        : ({ method: "PUT", path: this.#path(name), body } as const);
    return foundIn(await this.#send(request, signal));
  }

  #path(name?: string): string {
    const all = `/apis/${apiVersion}/namespaces/${this.namespace}/leases`;
    return name === undefined ? all : `${all}/${name}`;
  }

  #send(request: Parameters<KubeConnection["send"]>[0], signal?: AbortSignal): Promise<unknown> {
    const deadlineMs = this.#deadlineMs;
    return this.#connection.send({ ...request, lane: "trust", deadlineMs, signal });
  }
}

function specOf({ holder, durationMs, acquiredMs, renewedMs, transitions }: Lease): JsonObject {
  return {
    holderIdentity: holder,
    leaseDurationSeconds: Math.round(durationMs / 1_000),
    acquireTime: microTime(acquiredMs),
    renewTime: microTime(renewedMs),
    leaseTransitions: transitions,
  };
}

/** `MicroTime` wants six digits. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}

function foundIn(answer: unknown): FoundLease {
  if (!isJsonObject(answer)) throw new KubeError("kube-answer", "expected a Lease");
  const spec = objectOf(answer["spec"]);
  const seconds = numberOf(spec["leaseDurationSeconds"]) ?? durationDefaultSeconds;
  return {
    version: textOf(objectOf(answer["metadata"])["resourceVersion"]),
    lease: {
      holder: textOf(spec["holderIdentity"]),
      durationMs: seconds * 1_000,
      acquiredMs: timeOf(spec["acquireTime"]),
      renewedMs: timeOf(spec["renewTime"]),
      transitions: numberOf(spec["leaseTransitions"]) ?? 0,
    },
  };
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** 0 for what is no time: it is for people. */
function timeOf(value: unknown): number {
  const ms = Date.parse(textOf(value));
  return Number.isNaN(ms) ? 0 : ms;
}
