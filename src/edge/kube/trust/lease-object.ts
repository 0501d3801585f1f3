/** A Lease in the cluster: read, made and replaced, always by the version that was judged. */

import type { Lease, SeenLease } from "../../../core/kube/trust/lease.ts";
import type { JsonObject } from "../../../core/identity/json-object.ts";
import type { KubeConnection } from "../kube-connection.ts";
import { microTime } from "../micro-time.ts";
import { objectOf, textOf } from "../read/raw-object.ts";
import { NamedObject } from "./named-object.ts";

const apiVersion = "coordination.k8s.io/v1";
/** Of one that says none; client-go's default. */
const durationDefaultSeconds = 15;

export type FoundLease = Pick<SeenLease, "lease" | "version">;

export class LeaseObject {
  readonly namespace: string;
  readonly name: string;
  readonly #object: NamedObject;

  /** @param deadlineMs of each request */
  constructor(connection: KubeConnection, namespace: string, name: string, deadlineMs: number) {
    this.namespace = namespace;
    this.name = name;
    const collection = `/apis/${apiVersion}/namespaces/${namespace}/leases`;
    this.#object = new NamedObject({ connection, collection, name, deadlineMs });
  }

  /** @throws KubeError; the reason of the signal */
  async read(signal?: AbortSignal): Promise<FoundLease> {
    const found = await this.#object.read(signal);
    return found === undefined ? { lease: undefined, version: "" } : foundIn(found);
  }

  /**
   * @param version of what it follows from; "" where there was none
   * @throws KubeError `kube-conflict` where another was faster; the reason of the signal
   */
  async write(lease: Lease, version: string, signal?: AbortSignal): Promise<FoundLease> {
    const { name, namespace } = this;
    const metadata = { name, namespace };
    const body = { apiVersion, kind: "Lease", metadata, spec: specOf(lease) };
    return foundIn(await this.#object.write(body, version, signal));
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

function foundIn(answer: JsonObject): FoundLease {
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
